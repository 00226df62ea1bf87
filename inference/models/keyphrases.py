"""Keyphrases by YAKE: statistics of the text alone, no weights."""

import math
from importlib import metadata

from inference.capabilities import Label, Labels
from inference.registry import Model

MOST_CHARACTERS = 100_000
MOST_PHRASES = 12
LONGEST_PHRASE = 60


class Keyphrases(Model):
    """Up to 12 phrases of one to three words."""

    name = "yake"
    capabilities = ("keyphrases",)
    version = metadata.version("yake")

    def keyphrases(self, text: str, language: str | None) -> Labels:
        """The first 100,000 characters are read. YAKE's score (small is good) becomes a confidence."""
        import yake

        extractor = yake.KeywordExtractor(lan=(language or "en")[:2], n=3, dedup_lim=0.7, top=MOST_PHRASES)
        found = extractor.extract_keywords(text[:MOST_CHARACTERS])
        return Labels(
            tuple(
                Label(phrase.lower(), math.exp(-float(score)))
                for phrase, score in found
                if len(phrase) <= LONGEST_PHRASE
            )
        )
