"""A description without a language model: the sentences of the transcript that carry most of its words."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from inference.capabilities import Description, Unavailable
from inference.registry import Model

SENTENCE = re.compile(r"[^.!?…。！？؟]+[.!?…。！？؟]*")
WORD = re.compile(r"\w{4,}")
MOST_SENTENCES = 3
MOST_CHARACTERS = 400


class Extractive(Model):
    """The fallback where no chat model is set up: it only repeats what was said, or the title."""

    name = "extractive"
    capabilities = ("describe",)
    version = "1"
    fallback = True

    def describe(self, images: Sequence[bytes], transcript: str, title: str | None) -> Description:
        """Up to three sentences in the order they were said."""
        sentences = [" ".join(found.split()) for found in SENTENCE.findall(transcript)]
        chosen = _chosen([sentence for sentence in sentences if WORD.search(sentence)])
        text = " ".join(chosen) or " ".join(transcript.split()) or (title or "").strip()
        if not text:
            raise Unavailable("there is neither a transcript nor a title to describe it from")
        return Description(_shortened(text))


def _chosen(sentences: list[str]) -> list[str]:
    frequency = Counter(word for sentence in sentences for word in _words(sentence))

    def weight(number: int) -> float:
        words = _words(sentences[number])
        # The square root keeps long sentences from winning by their length alone.
        return sum(frequency[word] for word in words) / math.sqrt(len(words))

    best = sorted(range(len(sentences)), key=weight, reverse=True)[:MOST_SENTENCES]
    return [sentences[number] for number in sorted(best)]


def _words(sentence: str) -> list[str]:
    return WORD.findall(sentence.casefold())


def _shortened(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return text[:MOST_CHARACTERS].rsplit(" ", 1)[0] + "…"
