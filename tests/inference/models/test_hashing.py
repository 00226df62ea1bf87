"""Vectors without weights."""

import subprocess
import sys

import numpy as np
import pytest

from inference.host import ROOT
from inference.models.hashing import DIMENSIONS, Hashing
from inference.options import Options


def vectors(options: Options, *texts: str) -> np.ndarray:
    return Hashing(options).embed_text(texts, query=False).values


def test_texts_that_share_words_are_nearer_than_others(options: Options) -> None:
    dog, puppy, ship = vectors(
        options, "A dog plays in the garden", "the dog in our garden", "cargo ship leaves harbour"
    )

    assert dog @ puppy > 0.4
    assert abs(dog @ ship) < 0.2


def test_a_misspelt_word_is_still_near(options: Options) -> None:
    right, wrong, other = vectors(options, "lighthouse", "lighthose", "marketplace")

    assert right @ wrong > right @ other + 0.1


@pytest.mark.parametrize("text", ["", "   ", "!?", "one", "Straße 東京 مرحبا", "word " * 10_000])
def test_every_text_has_a_vector_of_length_one(text: str, options: Options) -> None:
    (vector,) = vectors(options, text)

    assert vector.shape == (DIMENSIONS,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_another_process_gives_the_same_vector(options: Options) -> None:
    code = (
        "from inference.models.hashing import Hashing\n"
        "print(Hashing(None).embed_text(['storm at sea'], query=True).values.tobytes().hex())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={"PYTHONHASHSEED": "7"}
    )

    assert ended.stdout.strip() == vectors(options, "storm at sea").tobytes().hex()
