"""Takes packets and frames out of an open file, stepping over what is damaged and counting it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tasks.media.child.opening import Opened, codec_name
from tasks.media.limits import MediaRefused

#: Damaged packets before anything decodes after which a stream is given up.
_HOPELESS = 400


@dataclass(slots=True)
class Tally:
    """How many frames came out whole, and how many packets or frames were damaged."""

    decoded: int = 0
    broken: int = 0

    def check(self) -> None:
        """Raises MediaRefused CORRUPT where nothing, or less than half, came out whole."""
        if not self.decoded or self.broken > self.decoded:
            reason = f"The stream is damaged: {self.decoded} pieces of it decode, {self.broken} do not."
            raise MediaRefused("CORRUPT", reason)


def packets(media: Opened, stream: Stream, tally: Tally) -> Iterator[Packet[Stream]]:
    """The packets of one stream; a file that breaks off ends here, with what came before."""
    try:
        yield from media.container.demux(stream)
    except IndexError:
        # PyAV stumbles over a stream that appeared midway, but only behind the last packet.
        return
    except FFmpegError as error:
        _count(error, tally)


def video_frames(media: Opened, stream: VideoStream, tally: Tally) -> Iterator[VideoFrame]:
    """Every whole picture of the stream."""
    return cast("Iterator[VideoFrame]", _frames(media, stream, tally))


def audio_frames(media: Opened, stream: AudioStream, tally: Tally) -> Iterator[AudioFrame]:
    """Every whole block of sound of the stream."""
    return cast("Iterator[AudioFrame]", _frames(media, stream, tally))


def _frames(media: Opened, stream: Stream, tally: Tally) -> Iterator[VideoFrame | AudioFrame]:
    for packet in packets(media, stream, tally):
        try:
            frames = cast("list[VideoFrame | AudioFrame]", packet.decode())
        except FFmpegError as error:
            _count(error, tally)
            if tally.broken > _HOPELESS and not tally.decoded:
                return
            continue
        for frame in frames:
            if frame.is_corrupt:
                tally.broken += 1
            else:
                tally.decoded += 1
                yield frame


def _count(error: FFmpegError, tally: Tally) -> None:
    """Damage is counted; want of memory is no damage."""
    if isinstance(error, MemoryError):
        raise error
    tally.broken += 1


def first_frame(media: Opened, stream: VideoStream | AudioStream) -> VideoFrame | AudioFrame:
    """The first frame that decodes; MediaRefused CORRUPT where none does."""
    frame = next(_frames(media, stream, Tally()), None)
    if frame is None:
        raise MediaRefused("CORRUPT", f"Nothing in the file's {codec_name(stream)} stream can be decoded.")
    return frame


def rotation(frame: VideoFrame) -> int:
    """How far to turn the picture clockwise to see it upright: 0, 90, 180 or 270."""
    return round(-frame.rotation / 90) * 90 % 360
