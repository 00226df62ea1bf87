"""Shots, key frames and small frames, made as the frames go by: memory stays flat however long the video."""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import cv2
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detectors import AdaptiveDetector

from tasks.media.frames import KeyFrame, Shot, SmallFrame
from tasks.media.pictures import Picture, encode_jpeg, fitted, is_black, look, perceptual_hash, upright

_KEY_SIDE, _SMALL_SIDE, _DETECT_SIDE = 1280, 320, 256
_SHORTEST_SHOT = 0.4
#: One key frame stands for at most this long; its candidates are kept this far apart.
_STRETCH, _CANDIDATE_EVERY = 5.0, 0.25
#: The detector names a cut this many frames after it.
_LATE_FRAMES = 2
_MICROSECOND = Fraction(1, 1_000_000)


class Writer:
    """Scales frames, turns them upright, and writes them below a folder."""

    def __init__(self, folder: Path, small_file: BinaryIO) -> None:
        self.small: list[SmallFrame] = []
        self.upright_size = (0, 0)
        self._folder = folder
        self._small_file = small_file
        self._keys = 0
        self._rotation = 0
        self._shown = (0, 0)
        # One scaler per size: each keeps its tables from frame to frame.
        self._scalers: dict[int, VideoReformatter] = {}

    def frame_of(self, frame: VideoFrame, rotation: int, pixel_shape: Fraction | None) -> None:
        """Takes the picture's shape from its first frame; pixels need not be square."""
        self._rotation = rotation
        self._shown = (max(2, round(frame.width * (pixel_shape or 1))), frame.height)
        self.upright_size = self._shown if rotation in (0, 180) else (self._shown[1], self._shown[0])

    def scaled(self, frame: VideoFrame, long_side: int) -> Picture:
        """The frame as BGR, not yet upright, its long side at most `long_side`."""
        width, height = fitted(*self._shown, long_side)
        scaler = self._scalers.setdefault(long_side, VideoReformatter())
        return cast(
            "Picture",
            scaler.reformat(frame, width, height, "bgr24", interpolation="FAST_BILINEAR").to_ndarray(),
        )

    def key_picture(self, frame: VideoFrame) -> Picture:
        """The frame as a key frame would show it."""
        return upright(self.scaled(frame, _KEY_SIDE), self._rotation)

    def key_frame(self, at: float, shot: int, picture: Picture) -> KeyFrame:
        """Writes the picture as the next key frame."""
        name = f"key-{self._keys:05}.jpg"
        self._keys += 1
        (self._folder / name).write_bytes(encode_jpeg(picture))
        seen, (pdq, quality) = look(picture), perceptual_hash(picture)
        height, width = picture.shape[:2]
        return KeyFrame(
            round(at, 3),
            shot,
            name,
            width,
            height,
            seen.luma,
            seen.sharpness,
            seen.black,
            seen.blurred,
            pdq,
            quality,
        )

    def small_frame(self, at: float, frame: VideoFrame) -> None:
        """Appends the frame to the file of small frames."""
        picture = upright(self.scaled(frame, _SMALL_SIDE), self._rotation)
        jpeg, offset = encode_jpeg(picture), self._small_file.tell()
        self._small_file.write(jpeg)
        self.small.append(SmallFrame(round(at, 3), offset, len(jpeg), *perceptual_hash(picture)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that may become the key frame of its stretch."""

    at: float
    picture: Picture
    black: bool


class Film:
    """Follows a video frame by frame; `shots` and `keys` grow as shots end."""

    def __init__(self, writer: Writer, fps: float) -> None:
        self.shots: list[Shot] = []
        self.keys: list[KeyFrame] = []
        self._writer = writer
        self._fps = fps
        self._detector = AdaptiveDetector(min_scene_len=_SHORTEST_SHOT)
        self._shot_start = 0.0
        self._stretch_start = 0.0
        self._candidates: list[Candidate] = []
        self._next_candidate = self._next_second = 0.0
        self._recent: deque[float] = deque(maxlen=_LATE_FRAMES + 1)

    def add(self, at: float, frame: VideoFrame) -> None:
        """Takes the next frame, `at` seconds from the start."""
        picture = self._writer.scaled(frame, _DETECT_SIDE)
        self._recent.append(at)
        moment = FrameTimecode(Timecode(round(at / _MICROSECOND), _MICROSECOND), self._fps)
        for cut in self._detector.process_frame(moment, picture):
            self._end_shot(cut.seconds)
            self._next_candidate = at
        # No cut can be named any more before the oldest recent frame.
        if self._recent[0] >= self._stretch_start + _STRETCH:
            self._end_stretch(self._stretch_start + _STRETCH)
        if at >= self._next_candidate:
            black = is_black(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
            self._candidates.append(Candidate(at, self._writer.key_picture(frame), black))
            self._next_candidate = at + _CANDIDATE_EVERY
        if at >= self._next_second:
            self._writer.small_frame(at, frame)
            self._next_second = int(at) + 1.0

    def end(self, at: float) -> None:
        """Closes the last shot, where the video ends."""
        self._end_shot(at)

    def _end_shot(self, end: float) -> None:
        # What remains of a long shot needs a picture of its own only where it is long itself.
        if self._stretch_start == self._shot_start or end - self._stretch_start >= _STRETCH / 2:
            self._end_stretch(end)
        self.shots.append(Shot(len(self.shots), round(self._shot_start, 3), round(end, 3)))
        self._candidates = [c for c in self._candidates if c.at >= end]
        self._shot_start = self._stretch_start = end

    def _end_stretch(self, end: float) -> None:
        middle = (self._stretch_start + end) / 2
        mine = [c for c in self._candidates if c.at < end]
        self._candidates = [c for c in self._candidates if c.at >= end]
        self._stretch_start = end
        if mine:
            best = min(mine, key=lambda c: (c.black, c.at == 0, abs(c.at - middle)))
            self.keys.append(self._writer.key_frame(best.at, len(self.shots), best.picture))
