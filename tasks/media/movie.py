"""Writes a real MP4 (H.264, AAC, mov_text) from pictures, samples and cues: for demonstration and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from tasks.media.pictures import Picture
from tasks.media.subtitles import Cue

_MILLISECOND = Fraction(1, 1000)
#: The mov_text encoder takes its style from an ASS header, and does not start without one.
_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour\n"
    b"Style: Default,Arial,18,&Hffffff\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
)


def write_movie(
    path: Path,
    pictures: Iterable[Picture],
    fps: int,
    *,
    sound: npt.NDArray[np.int16] | None = None,
    rate: int = 48_000,
    cues: Sequence[Cue] = (),
    language: str = "eng",
    tags: Mapping[str, str] | None = None,
    rotation: int = 0,
    x264: Mapping[str, str] | None = None,
) -> None:
    """Encodes BGR `pictures` of one size, mono `sound` at `rate` and `cues`, well interleaved, with `tags`.

    `rotation` is how far a player must turn the picture clockwise.
    """
    shown = iter(pictures)
    first = next(shown)
    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update(tags or {})
        video = _video_stream(out, first, fps, rotation, {"preset": "superfast", "crf": "26", **(x264 or {})})
        audio = out.add_stream("aac", rate=rate, layout="mono") if sound is not None else None
        text = _text_stream(out, language) if cues else None
        blocks = _sound_frames(sound if sound is not None else np.empty(0, np.int16), rate)
        waiting = list(cues)
        scaler = VideoReformatter()
        for index, picture in enumerate(chain([first], shown)):
            if index % fps == 0:
                _mux_second(out, audio, text, blocks, waiting, index // fps)
            frame = scaler.reformat(VideoFrame.from_ndarray(picture, format="bgr24"), format="yuv420p")
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode())
        if audio is not None:
            out.mux(list(chain.from_iterable(audio.encode(block) for block in blocks)))
            out.mux(audio.encode())


def _video_stream(
    out: OutputContainer, first: Picture, fps: int, rotation: int, options: dict[str, str]
) -> VideoStream:
    video = out.add_stream("libx264", rate=fps, options=options)
    video.height, video.width = first.shape[:2]
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = Fraction(1, fps)
    if rotation:
        # libav counts the other way round.
        video.set_display_rotation(-rotation)
    return video


def _text_stream(out: OutputContainer, language: str) -> SubtitleStream:
    text = out.add_stream("mov_text")
    assert isinstance(text, SubtitleStream)
    text.codec_context.subtitle_header = _ASS_HEADER
    text.codec_context.time_base = _MILLISECOND
    text.metadata["language"] = language
    return text


def _sound_frames(sound: npt.NDArray[np.int16], rate: int) -> Iterator[av.AudioFrame]:
    """One frame for every second."""
    for start in range(0, len(sound), rate):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + rate], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        yield frame


def _mux_second(
    out: OutputContainer,
    audio: AudioStream | None,
    text: SubtitleStream | None,
    blocks: Iterator[av.AudioFrame],
    waiting: list[Cue],
    second: int,
) -> None:
    if audio is not None:
        out.mux(
            [packet for block in [next(blocks, None)] if block is not None for packet in audio.encode(block)]
        )
    while text is not None and waiting and waiting[0].start < second + 1:
        out.mux(_cue_packet(waiting.pop(0), text))


def _cue_packet(cue: Cue, text: SubtitleStream) -> Packet[Stream]:
    data = cue.text.encode()
    packet = Packet(len(data).to_bytes(2, "big") + data)
    packet.stream, packet.time_base = text, _MILLISECOND
    packet.pts = packet.dts = round(cue.start * 1000)
    packet.duration = round((cue.end - cue.start) * 1000)
    return packet
