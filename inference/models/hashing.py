"""Vectors of texts without any weights: words and their parts, hashed. Finds shared words, not meaning."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from inference.capabilities import FloatArray, Vectors
from inference.registry import Model

DIMENSIONS = 384
WORD = re.compile(r"\w+")
PART_WEIGHT = 0.4


class Hashing(Model):
    """The fallback where there is no text model: the same text gives the same vector everywhere."""

    name = "hashing"
    capabilities = ("embed_text",)
    version = "1"
    fallback = True
    batch = 256

    def embed_text(self, texts: Sequence[str], query: bool) -> Vectors:
        """Signed feature hashing of words, word pairs and three-letter parts; 384 dimensions."""
        return Vectors(np.stack([_vector(text) for text in texts]))


def _vector(text: str) -> FloatArray:
    vector = np.zeros(DIMENSIONS)
    for feature, weight in _features(WORD.findall(text.casefold())):
        place = crc32(feature.encode())
        vector[place % DIMENSIONS] += weight if place & 0x80000000 else -weight
    if not vector.any():
        # A text without words still needs a vector of length 1: all of them share this one.
        vector[0] = 1.0
    # Not numpy's norm: the order in which that adds, and so its last bit, depends on memory's alignment.
    length = math.sqrt(math.fsum(vector * vector))
    return (vector / length).astype(np.float32)


def _features(words: list[str]) -> Iterator[tuple[str, float]]:
    parts = [f"#{word}#"[n : n + 3] for word in words for n in range(len(word))]
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(words)]
    for counted, weight in ((words, 1.0), (pairs, 1.0), (parts, PART_WEIGHT)):
        for feature, count in Counter(counted).items():
            yield feature, weight * (1.0 + math.log(count))
