"""What a file says about itself, as the first look at it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """An embedded text track: its stream's index, its codec, and its language if it names one."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Probe:
    """The metadata of one file: pixels before rotation, seconds, bits per second over the whole file.

    `rotation` is how far to turn the picture clockwise to see it upright (0, 90, 180, 270). `created_at` is
    RFC 3339 in UTC. `has_audio` means a track that can be decoded. `raw` follows ffprobe's JSON, bounded.
    """

    kind: Literal["VIDEO", "IMAGE", "AUDIO"]
    format: str
    mime_type: str
    size_bytes: int
    sha256: str
    duration_seconds: float | None
    width: int | None
    height: int | None
    fps: float | None
    video_codec: str | None
    audio_codec: str | None
    bitrate: int | None
    rotation: int
    has_audio: bool
    hdr: bool
    created_at: str | None
    latitude: float | None
    longitude: float | None
    subtitles: tuple[SubtitleTrack, ...]
    raw: dict[str, Any]
