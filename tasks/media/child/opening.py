"""Opens one media file with the one demuxer its first bytes call for, and refuses what breaks a limit."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import av
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from tasks.media.child.extent import is_cut_off
from tasks.media.limits import Limits, MediaRefused
from tasks.media.magic import FORMATS, HEAD_BYTES, Format, playlist, sniff

_MOVING = {
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "av1",
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "prores",
    "theora",
    "h263",
}
_STILL = {"mjpeg", "png", "gif", "webp", "bmp", "tiff"}
_SOUND = {"aac", "mp3", "mp2", "opus", "vorbis", "flac", "alac", "ac3", "eac3", "amr_nb", "amr_wb"}
_PCM = {name for name in av.codecs_available if name.startswith("pcm_")}
NO_CODEC = "unknown"
TEXT_CODECS = frozenset({"mov_text", "subrip", "webvtt", "ass", "ssa", "text"})
#: libav's names of the decoders for those codecs, where they are not the codec's own.

_DECODERS = {"libdav1d", "mp3float", "mp2float", "amrnb", "amrwb"}

AnyStream = TypeVar("AnyStream", bound=Stream)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file within its limits; `start` is the file's own first second, to be taken from every time."""

    container: InputContainer
    format: Format
    mime_type: str
    size_bytes: int
    video: VideoStream | None
    audio: AudioStream | None
    start: float
    duration: float | None

    @property
    def is_image(self) -> bool:
        """Whether the file is one picture."""
        return self.mime_type.startswith("image/")


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Opened]:
    """The file at `path`, its streams known and nothing decoded; raises MediaRefused with the reason."""
    # libav is given a descriptor and the one protocol that reads it: it can open no other file or host.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mime_type, size = _identify(fd)
        with _demux(fd, FORMATS[mime_type], limits) as container:
            yield _within(container, mime_type, size, limits)
    finally:
        os.close(fd)


def _identify(fd: int) -> tuple[str, int]:
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):
        raise MediaRefused("NOT_MEDIA", "This is not a regular file.")
    if about.st_size == 0:
        raise MediaRefused("EMPTY", "The file is empty.")
    head = os.pread(fd, HEAD_BYTES, 0)
    if kind := playlist(head):
        reason = f"The file is a playlist ({kind}), not media: upload the media files it names instead."
        raise MediaRefused("PLAYLIST", reason)
    mime_type = sniff(head)
    if mime_type is None:
        raise MediaRefused("NOT_MEDIA", "The file is not a kind of video, image or audio that is accepted.")
    if is_cut_off(fd, mime_type, about.st_size):
        raise MediaRefused("TRUNCATED", "The file ends too early: it was cut off. Upload it again, whole.")
    return mime_type, about.st_size


def _demux(fd: int, format_: Format, limits: Limits) -> InputContainer:
    options = {
        "fd": str(fd),
        "protocol_whitelist": "fd",
        "codec_whitelist": ",".join(_MOVING | _STILL | _SOUND | _PCM | TEXT_CODECS | _DECODERS),
        # libav decodes a frame to learn its layout: this refuses a huge one by its header alone.
        "max_pixels": str(limits.max_pixels),
    }
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as log:
            container = av.open(
                "fd:", "r", format=format_.demuxer, options=options, metadata_errors="replace"
            )
        _check_pictures(log, limits)
        return container
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise _unreadable(error, format_, log) from None
    finally:
        av.logging.set_level(None)


def _check_pictures(log: list[tuple[int, str, str]], limits: Limits) -> None:
    sizes = [message.split()[2] for _, _, message in log if message.startswith("Picture size ")]
    if sizes:
        raise _too_many_pixels(sizes[0], limits)


def _too_many_pixels(size: str, limits: Limits) -> MediaRefused:
    reason = f"The picture is {size} pixels; at most {limits.max_pixels:,} pixels are accepted."
    return MediaRefused("TOO_MANY_PIXELS", reason)


def _unreadable(error: FFmpegError, format_: Format, log: list[tuple[int, str, str]]) -> MediaRefused:
    messages = [message.strip() for _, _, message in log]
    if any("moov atom not found" in message for message in messages):
        reason = f"The {format_.name} file has no index (moov): it was cut off or its recording never ended."
        return MediaRefused("TRUNCATED", reason)
    why = messages[-1] if messages else error.strerror
    return MediaRefused("CORRUPT", f"The {format_.name} file cannot be read: {why}.")


def _within(container: InputContainer, mime_type: str, size: int, limits: Limits) -> Opened:
    streams = container.streams
    if len(streams) > limits.max_streams:
        reason = f"The file has {len(streams)} streams; at most {limits.max_streams} are accepted."
        raise MediaRefused("TOO_MANY_STREAMS", reason)
    for picture in streams.video:
        width, height = _size(picture)
        if width * height > limits.max_pixels:
            raise _too_many_pixels(f"{width}x{height}", limits)
    duration = None if mime_type.startswith("image/") else _duration(container)
    if duration is not None and duration > limits.max_duration_seconds:
        raise too_long(duration, limits)
    video = _first(
        [v for v in streams.video if not v.disposition & Disposition.attached_pic], _MOVING | _STILL
    )
    audio = _first(list(streams.audio), _SOUND | _PCM)
    if video is None and audio is None:
        raise _nothing_to_decode(container)
    if video is not None:
        # The header may understate what the stream then declares: the decoder keeps to the limit too.
        video.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    start = (container.start_time or 0) / av.time_base
    return Opened(container, FORMATS[mime_type], mime_type, size, video, audio, start, duration)


def _size(picture: VideoStream) -> tuple[int, int]:
    # A stream that libav has no decoder for has no codec context at all.
    context = cast("av.VideoCodecContext | None", picture.codec_context)
    return (context.width, context.height) if context is not None else (0, 0)


def too_long(duration: float, limits: Limits) -> MediaRefused:
    """The refusal of a file that lasts `duration` seconds."""
    reason = f"The file lasts {_hours(duration)}; at most {_hours(limits.max_duration_seconds)} are accepted."
    return MediaRefused("TOO_LONG", reason)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds:.0f} seconds"


def _duration(container: InputContainer) -> float | None:
    declared = [container.duration / av.time_base] if container.duration else []
    declared += [float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base]
    return max(declared, default=None)


def _nothing_to_decode(container: InputContainer) -> MediaRefused:
    named = [codec_name(s) for s in container.streams if s.type in ("video", "audio")]
    if not named:
        return MediaRefused("NOT_MEDIA", "The file holds neither picture nor sound.")
    return MediaRefused("NO_DECODER", f"The file is encoded as {', '.join(named)}, which is not supported.")


def _first(streams: list[AnyStream], allowed: set[str]) -> AnyStream | None:
    return next((s for s in streams if codec_name(s) in allowed), None)


def codec_name(stream: Stream) -> str:
    """The codec's own name ("mp3", not the decoder's "mp3float"), NO_CODEC where libav has no decoder."""
    context = cast("av.CodecContext | None", stream.codec_context)
    return context.codec.canonical_name if context is not None else NO_CODEC
