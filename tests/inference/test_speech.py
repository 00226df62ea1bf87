"""Cutting sound at its quietest moments."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.speech import RATE, pieces


def test_sound_is_cut_in_its_pauses_and_nothing_is_lost(sound: Callable[..., Path]) -> None:
    found = list(pieces(sound((24.0, 0.3), (0.5, 0.0), (23.0, 0.3), (0.5, 0.0), (12.0, 0.3))))

    assert [piece.start for piece in found[1:]] == [
        pytest.approx(24.25, abs=0.26),
        pytest.approx(47.75, abs=0.26),
    ]
    assert sum(len(piece.samples) for piece in found) == 60 * RATE
    assert all(a.start + a.seconds == b.start for a, b in itertools.pairwise(found))
    assert max(piece.seconds for piece in found) <= 30.0


def test_sound_without_any_pause_is_cut_all_the_same(sound: Callable[..., Path]) -> None:
    assert [piece.seconds for piece in pieces(sound((61.0, 0.5)))][-1] > 0
    assert all(piece.seconds <= 30.0 for piece in pieces(sound((61.0, 0.5))))


def test_a_piece_is_silent_only_if_nothing_in_it_is_loud(sound: Callable[..., Path]) -> None:
    assert [piece.silent for piece in pieces(sound((5.0, 0.0005)))] == [True]
    assert [piece.silent for piece in pieces(sound((5.0, 0.0), (0.2, 0.05), (5.0, 0.0)))] == [False]


def test_samples_are_floats_between_minus_one_and_one(sound: Callable[..., Path]) -> None:
    (piece,) = pieces(sound((1.0, 1.0)))

    assert piece.samples.dtype == np.float32
    assert 0.99 < np.abs(piece.samples).max() <= 1.0


def test_an_empty_file_has_no_pieces(sound: Callable[..., Path]) -> None:
    assert list(pieces(sound((0.0, 0.0)))) == []


def test_sound_in_another_form_is_refused(sound: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="not 16 kHz mono 16-bit"):
        list(pieces(sound((1.0, 0.5), rate=44_100)))
