"""A description without a language model."""

import pytest

from inference.capabilities import Unavailable
from inference.models.extractive import MOST_CHARACTERS, Extractive
from inference.options import Options

TRANSCRIPT = (
    "Hello. Last night a storm broke the harbour wall! Well, well. The harbour wall had stood for a hundred "
    "years. I had soup. Volunteers began to repair the harbour wall this morning."
)


def describe(options: Options, transcript: str, title: str | None) -> str:
    return Extractive(options).describe([], transcript, title).text


def test_the_sentences_that_say_most_are_kept_in_the_order_they_were_said(options: Options) -> None:
    assert describe(options, TRANSCRIPT, "Storm") == (
        "Last night a storm broke the harbour wall! The harbour wall had stood for a hundred years. "
        "Volunteers began to repair the harbour wall this morning."
    )


def test_without_words_the_title_is_all_there_is(options: Options) -> None:
    assert describe(options, "  ", " Storm at sea ") == "Storm at sea"
    assert describe(options, "Oh no.", None) == "Oh no."


def test_without_anything_it_is_unavailable(options: Options) -> None:
    with pytest.raises(Unavailable, match="neither a transcript nor a title"):
        describe(options, "", None)


def test_a_description_is_never_long(options: Options) -> None:
    text = describe(options, "harbour " * 5000, None)

    assert len(text) <= MOST_CHARACTERS + 1
    assert text.endswith("harbour…")
