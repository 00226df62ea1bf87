"""The one decode of a video: every frame is looked at once, and what later stages need of it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import cast

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tasks.media.child.film import Film, Writer
from tasks.media.child.opening import Opened, opened, too_long
from tasks.media.child.reading import Tally, first_frame, rotation, video_frames
from tasks.media.frames import SMALL_FILE, Frames
from tasks.media.limits import JSON, Limits, MediaRefused, Report

_THREADS = 2


def work(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """`path`, `out` (a folder) → the fields of Frames; key frames and SMALL_FILE below the folder."""
    out = Path(str(arguments["out"]))
    with opened(Path(str(arguments["path"])), limits) as media:
        if media.video is None:
            raise MediaRefused("NO_VIDEO", "The file has sound only, no pictures.")
        with (out / SMALL_FILE).open("wb") as small:
            writer = Writer(out, small)
            if media.is_image:
                return asdict(_of_image(media, media.video, writer))
            return asdict(_of_video(media, media.video, writer, limits, report))


def _of_image(media: Opened, video: VideoStream, writer: Writer) -> Frames:
    frame = cast("VideoFrame", first_frame(media, video))
    writer.frame_of(frame, rotation(frame), None)
    writer.small_frame(0.0, frame)
    key = writer.key_frame(0.0, 0, writer.key_picture(frame))
    return Frames((), (key,), tuple(writer.small), *writer.upright_size, decoded_frames=1, broken=0)


def _of_video(media: Opened, video: VideoStream, writer: Writer, limits: Limits, report: Report) -> Frames:
    tally = Tally()
    fps = float(video.average_rate or video.guessed_rate or 25)
    film = Film(writer, fps)
    total = round(media.duration) if media.duration else None
    at = 0.0
    for at, frame in _timed(media, video, tally):
        if at > limits.max_duration_seconds:
            raise too_long(at, limits)
        if tally.decoded == 1:
            writer.frame_of(frame, rotation(frame), video.sample_aspect_ratio)
        film.add(at, frame)
        report(int(at), total)
    tally.check()
    film.end(at + 1 / fps)
    return Frames(
        tuple(film.shots),
        tuple(film.keys),
        tuple(writer.small),
        *writer.upright_size,
        tally.decoded,
        tally.broken,
    )


def _timed(media: Opened, video: VideoStream, tally: Tally) -> Iterator[tuple[float, VideoFrame]]:
    """Every whole frame with its time from the file's start, which never runs backwards."""
    video.thread_type = "AUTO"
    video.codec_context.thread_count = _THREADS
    last = 0.0
    for frame in video_frames(media, video, tally):
        last = max(last, frame.time - media.start) if frame.time is not None else last
        yield last, frame
