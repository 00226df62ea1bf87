"""The sound of a file as speech models want it."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Audio:
    """A mono WAV of 16-bit samples at 16 kHz on the media's clock; peak and RMS are 0 to 1 of full scale."""

    duration_seconds: float
    peak: float
    rms: float
    broken: int
