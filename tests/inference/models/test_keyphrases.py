"""Keyphrases of real sentences."""

from inference.models.keyphrases import LONGEST_PHRASE, Keyphrases
from inference.options import Options

TEXT = (
    "The lighthouse keeper told us about the storm that broke the harbour wall. "
    "Volunteers repaired the harbour wall within a week. The lighthouse stayed dark."
)


def test_the_phrases_that_carry_a_text_are_found(options: Options) -> None:
    labels = Keyphrases(options).keyphrases(TEXT, "en").labels

    assert "harbour wall" in [label.name for label in labels[:4]]
    assert len({label.name for label in labels}) == len(labels) <= 12
    confidences = [label.confidence for label in labels]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 < confidence <= 1 for confidence in confidences)


def test_a_text_without_words_has_none(options: Options) -> None:
    assert Keyphrases(options).keyphrases("… 123 !", None).labels == ()


def test_a_language_nobody_has_stopwords_for_is_no_failure(options: Options) -> None:
    assert Keyphrases(options).keyphrases(TEXT, "xx").labels


def test_a_very_long_text_is_read_in_bounded_time(options: Options) -> None:
    labels = Keyphrases(options).keyphrases(TEXT * 2000, "en").labels

    assert labels
    assert all(len(label.name) <= LONGEST_PHRASE for label in labels)
