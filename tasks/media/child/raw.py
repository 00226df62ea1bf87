"""A file's headers as JSON in ffprobe's words, bounded and clean enough for any database."""

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import islice

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from tasks.media.child.opening import NO_CODEC, codec_name
from tasks.media.limits import JSON

_MAX_TAGS, _MAX_KEY, _MAX_TEXT = 64, 100, 500


def describe(
    container: InputContainer, size: int, duration: float | None, tags: Mapping[str, str]
) -> dict[str, JSON]:
    """`{"format": …, "streams": […]}` as `ffprobe -show_format -show_streams` would call the fields."""
    about: dict[str, JSON] = {
        "format_name": container.format.name,
        "format_long_name": container.format.long_name,
        "nb_streams": len(container.streams),
        "start_time": _number(container.start_time, Fraction(1, av.time_base)),
        "duration": _finite(duration),
        "size": size,
        "bit_rate": container.bit_rate or None,
        "tags": _tags(tags),
    }
    return {"format": _known(about), "streams": [_stream(stream) for stream in container.streams]}


def _stream(stream: Stream) -> JSON:
    about: dict[str, JSON] = {
        "index": stream.index,
        "codec_type": stream.type,
        "codec_name": codec_name(stream),
        "profile": stream.profile,
        "time_base": _ratio(stream.time_base),
        "start_time": _number(stream.start_time, stream.time_base),
        "duration": _number(stream.duration, stream.time_base),
        "nb_frames": stream.frames or None,
        "disposition": [flag.name for flag in type(stream.disposition) if flag & stream.disposition],
        "tags": _tags(stream.metadata),
    }
    if codec_name(stream) == NO_CODEC:
        return _known(about)
    if isinstance(stream, VideoStream):
        about |= _picture(stream)
    elif isinstance(stream, AudioStream):
        about |= _sound(stream)
    return _known(about)


def _picture(stream: VideoStream) -> dict[str, JSON]:
    context = stream.codec_context
    return {
        "width": context.width,
        "height": context.height,
        "pix_fmt": context.pix_fmt,
        "sample_aspect_ratio": _ratio(stream.sample_aspect_ratio),
        "avg_frame_rate": _ratio(stream.average_rate),
        "r_frame_rate": _ratio(stream.base_rate),
        "color_transfer": int(context.color_trc),
        "color_primaries": int(context.color_primaries),
        "color_space": int(context.colorspace),
        "bit_rate": context.bit_rate or None,
    }


def _sound(stream: AudioStream) -> dict[str, JSON]:
    context = stream.codec_context
    return {
        "sample_rate": context.sample_rate,
        "channels": context.channels,
        "channel_layout": context.layout.name,
        "sample_fmt": context.format.name if context.format is not None else None,
        "bit_rate": context.bit_rate or None,
    }


def _known(about: dict[str, JSON]) -> dict[str, JSON]:
    return {
        key: clean(value) if isinstance(value, str) else value
        for key, value in about.items()
        if value is not None
    }


def _tags(tags: Mapping[str, str]) -> JSON:
    return {clean(key)[:_MAX_KEY]: clean(value) for key, value in islice(tags.items(), _MAX_TAGS)}


def clean(text: str) -> str:
    """`text` without control characters (Postgres takes no NUL) and lone surrogates, cut at 500."""
    kept = "".join(c for c in text[:_MAX_TEXT] if c in "\n\t" or (c >= " " and c != "\x7f"))
    return kept.encode("utf-8", "replace").decode()


def _ratio(value: Fraction | None) -> str | None:
    return f"{value.numerator}/{value.denominator}" if value else None


def _number(value: int | None, unit: Fraction | None) -> float | None:
    return _finite(float(value * unit)) if value is not None and unit is not None else None


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
