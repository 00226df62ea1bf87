"""What the one decode of a video leaves behind: shots, key frames, and a small frame for every second."""

from __future__ import annotations

from dataclasses import dataclass

#: The file of all small frames, one JPEG behind the other, below the job's folder.
SMALL_FILE = "small.mjpeg"


@dataclass(frozen=True, slots=True)
class Shot:
    """One uncut stretch of video, in seconds; `end` is where the next one starts."""

    index: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """An upright JPEG that stands for a stretch of a shot: file name, pixels, look and PDQ hash."""

    at: float
    shot: int
    file: str
    width: int
    height: int
    luma: float
    sharpness: float
    black: bool
    blurred: bool
    pdq: str
    pdq_quality: int


@dataclass(frozen=True, slots=True)
class SmallFrame:
    """One second's upright JPEG of at most 320 pixels: `size` bytes from `offset` of SMALL_FILE."""

    at: float
    offset: int
    size: int
    pdq: str
    pdq_quality: int


@dataclass(frozen=True, slots=True)
class Frames:
    """The whole result; `width` and `height` are those of the upright picture, `broken` the packets lost.

    An image has no shots and one key frame, at 0.
    """

    shots: tuple[Shot, ...]
    key_frames: tuple[KeyFrame, ...]
    small: tuple[SmallFrame, ...]
    width: int
    height: int
    decoded_frames: int
    broken: int


def choose_thumbnail(frames: Frames) -> int | None:
    """The index of the key frame that shows the video best, None where none is fit to be seen.

    Never a black one, never a video's first frame; a blurred one only where nothing is sharp. Among the
    rest the one with most to see: PDQ's quality measures that, and sharpness decides among equals.
    """
    fit = [
        index
        for index, key in enumerate(frames.key_frames)
        if not key.black and (key.at > 0 or not frames.shots)
    ]
    return max(fit, key=lambda index: _merit(frames.key_frames[index]), default=None)


def _merit(key: KeyFrame) -> tuple[bool, int, float]:
    return not key.blurred, key.pdq_quality, key.sharpness
