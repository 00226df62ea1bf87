"""Recorded speech as numbers: a WAV cut at its quietest moments, so that hearing can begin at once."""

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.capabilities import FloatArray

RATE = 16_000
FRAME = RATE // 10
QUIET = 10 ** (-50 / 20)


@dataclass(frozen=True, eq=False)
class Piece:
    """Samples in -1..1 at 16 kHz, from `start` seconds on."""

    start: float
    samples: FloatArray

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE

    @property
    def silent(self) -> bool:
        """Whether no tenth of a second is louder than -50 dB: models invent words for silence."""
        return bool(_loudness(self.samples).max(initial=0.0) < QUIET)


def pieces(audio: Path, earliest: float = 20.0, longest: float = 30.0) -> Iterator[Piece]:
    """Cuts a WAV where it is quietest between `earliest` and `longest` seconds; reads it bit by bit."""
    with wave.open(str(audio), "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
            raise ValueError(f"{audio.name} is not 16 kHz mono 16-bit")
        most = int(longest * RATE)
        start, kept = 0, np.zeros(0, np.float32)
        while True:
            raw = file.readframes(most - len(kept))
            kept = np.concatenate([kept, np.frombuffer(raw, "<i2").astype(np.float32) / 32768.0])
            cut = _cut(kept, int(earliest * RATE)) if len(kept) == most else len(kept)
            if cut == 0:
                return
            yield Piece(start / RATE, kept[:cut])
            start, kept = start + cut, kept[cut:]


def _cut(samples: FloatArray, earliest: int) -> int:
    loudness = _loudness(samples[earliest:])
    return earliest + int(loudness.argmin()) * FRAME + FRAME // 2


def _loudness(samples: FloatArray) -> FloatArray:
    """Root mean square of each tenth of a second."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(whole) and len(samples):
        whole = samples.reshape(1, -1)
    mean: FloatArray = np.sqrt((whole**2).mean(axis=1))
    return mean
