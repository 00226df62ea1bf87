"""Reads an embedded text track by demuxing alone: its packets are the text, and no decoder runs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from tasks.media.child.opening import TEXT_CODECS, Opened, codec_name, opened
from tasks.media.child.raw import clean
from tasks.media.child.reading import Tally, packets
from tasks.media.child.tags import language
from tasks.media.limits import JSON, Limits, MediaRefused, Report
from tasks.media.subtitles import Cue, Subtitles

_MAX_CUES = 50_000
#: Shown this long where the track does not say.
_DEFAULT_SECONDS = 3.0
_TAGS = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,500}\}")
_ASS_FIELDS_BEFORE_TEXT = 8


def work(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """`path`, `track` (a stream's index, or null for the first text track) → the fields of Subtitles."""
    with opened(Path(str(arguments["path"])), limits) as media:
        track = _track(media, arguments["track"])
        total = round(media.duration) if media.duration else None
        cues = []
        for cue in islice(_cues(media, track), _MAX_CUES):
            cues.append(cue)
            report(int(cue.end), total)
        cues.sort(key=lambda cue: (cue.start, cue.end))
        return asdict(Subtitles(language(track.metadata), codec_name(track), tuple(cues)))


def _track(media: Opened, index: JSON) -> SubtitleStream:
    tracks = [s for s in media.container.streams.subtitles if codec_name(s) in TEXT_CODECS]
    chosen = [s for s in tracks if index is None or s.index == index]
    if not chosen:
        raise MediaRefused("NO_SUBTITLES", "The file has no such text track.")
    return chosen[0]


def _cues(media: Opened, track: SubtitleStream) -> Iterator[Cue]:
    codec = codec_name(track)
    for packet in packets(media, track, Tally()):
        text = _text(bytes(packet), codec)
        if text and packet.pts is not None and packet.time_base is not None:
            start = max(0.0, float(packet.pts * packet.time_base) - media.start)
            yield Cue(round(start, 3), round(start + _seconds(packet), 3), text)


def _seconds(packet: Packet[Stream]) -> float:
    return float(packet.duration * packet.time_base) if packet.duration else _DEFAULT_SECONDS


def _text(data: bytes, codec: str) -> str:
    """Text without markup: in mov_text a length stands before it and styles behind, in ASS eight fields."""
    if codec == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    text = data.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = (
            text.split(",", _ASS_FIELDS_BEFORE_TEXT)[-1]
            .replace("\\N", "\n")
            .replace("\\n", "\n")
            .replace("\\h", " ")
        )
    lines = html.unescape(_TAGS.sub("", text)).replace("\r", "").split("\n")
    return clean("\n".join(line.strip() for line in lines if line.strip()))
