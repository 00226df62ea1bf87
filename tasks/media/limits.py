"""What a media job may use, and the two ways it can end badly; light, for both sides of the wall read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from settings import Media

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None

#: What a job calls as it goes: how much is done, of how much where that is known (seconds, frames, cues).
Report: TypeAlias = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one child process; sizes in bytes, times in seconds, `cpu_seconds` over all its threads."""

    deadline_seconds: float = 600.0
    memory_bytes: int = 3 * 1024**3
    cpu_seconds: int = 1800
    file_bytes: int = 4 * 1024**3
    max_pixels: int = 50_000_000
    max_duration_seconds: float = 6 * 3600.0
    max_streams: int = 16

    @classmethod
    def of(cls, media: Media, deadline_seconds: float) -> Limits:
        """The limits of the settings, for a job that must end within `deadline_seconds`."""
        return cls(
            deadline_seconds=deadline_seconds,
            memory_bytes=media.memory_bytes,
            # A backstop for a parent that is stuck: two busy decoder threads reach the deadline first.
            cpu_seconds=int(3 * deadline_seconds) + 10,
            max_pixels=media.max_pixels,
            max_duration_seconds=media.max_duration_seconds,
            max_streams=media.max_streams,
        )


class MediaRefused(Exception):
    """The file is to blame, and will be tomorrow: `code` is stable, `reason` one sentence for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class MediaJobFailed(Exception):
    """The job broke or was killed: TIMEOUT, MEMORY, CRASHED or DISK_FULL; another attempt may work."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
