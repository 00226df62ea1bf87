"""The first look at a file: what it is, whether it decodes at all, and all it says about itself."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from tasks.media.child.opening import TEXT_CODECS, Opened, codec_name, opened, too_long
from tasks.media.child.raw import describe
from tasks.media.child.reading import Tally, first_frame, packets, rotation
from tasks.media.child.tags import created_at, language, location
from tasks.media.limits import JSON, Limits, Report
from tasks.media.probe import Probe, SubtitleTrack

_HDR_TRANSFERS = (16, 18)  # SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG) in H.273's numbers


def work(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """`path` → the fields of Probe."""
    return asdict(probe(Path(str(arguments["path"])), limits))


def probe(path: Path, limits: Limits) -> Probe:
    """Reads the headers, decodes one frame and hashes the file; raises MediaRefused."""
    with opened(path, limits) as media:
        stream = media.video or media.audio
        assert stream is not None
        frame = first_frame(media, stream)
        duration = _checked(_duration(media, stream), limits)
        tags = {**frame.metadata, **media.container.metadata} if media.is_image else media.container.metadata
        latitude, longitude = location(tags)
        video = media.video
        return Probe(
            kind=_kind(media),
            format=media.format.name,
            mime_type=_mime_type(media),
            size_bytes=media.size_bytes,
            sha256=_sha256(path),
            duration_seconds=duration,
            width=video.codec_context.width if video is not None else None,
            height=video.codec_context.height if video is not None else None,
            fps=_fps(video) if video is not None and not media.is_image else None,
            video_codec=codec_name(video) if video is not None else None,
            audio_codec=next((codec_name(s) for s in media.container.streams.audio), None),
            bitrate=round(media.size_bytes * 8 / duration) if duration else None,
            rotation=rotation(frame) if isinstance(frame, av.VideoFrame) else 0,
            has_audio=media.audio is not None,
            hdr=isinstance(frame, av.VideoFrame) and frame.color_trc in _HDR_TRANSFERS,
            created_at=created_at(tags),
            latitude=latitude,
            longitude=longitude,
            subtitles=_subtitles(media.container),
            raw=describe(media.container, media.size_bytes, duration, tags),
        )


def _kind(media: Opened) -> Literal["VIDEO", "IMAGE", "AUDIO"]:
    if media.is_image:
        return "IMAGE"
    return "VIDEO" if media.video is not None else "AUDIO"


def _mime_type(media: Opened) -> str:
    """The first bytes name the container; whether it holds pictures is known only now."""
    if media.is_image:
        return media.mime_type
    return ("video" if media.video is not None else "audio") + media.mime_type[5:]


def _checked(duration: float | None, limits: Limits) -> float | None:
    if duration is not None and duration > limits.max_duration_seconds:
        raise too_long(duration, limits)
    return duration


def _duration(media: Opened, stream: VideoStream | AudioStream) -> float | None:
    """The declared duration; where there is none (browsers' recordings), the end of the last packet."""
    if media.is_image or media.duration is not None:
        return media.duration
    end = 0.0
    for packet in packets(media, stream, Tally()):
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return max(0.0, end - media.start) or None


def _fps(video: VideoStream) -> float | None:
    rate = video.average_rate or video.guessed_rate
    return round(float(rate), 3) if rate else None


def _subtitles(container: InputContainer) -> tuple[SubtitleTrack, ...]:
    tracks = [s for s in container.streams.subtitles if codec_name(s) in TEXT_CODECS]
    return tuple(SubtitleTrack(s.index, codec_name(s), language(s.metadata)) for s in tracks)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
