"""The cues of a text track that came inside the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """One piece of text without markup, shown from `start` to `end` seconds on the media's clock."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Subtitles:
    """One whole track, its cues in order of time."""

    language: str | None
    codec: str
    cues: tuple[Cue, ...]
