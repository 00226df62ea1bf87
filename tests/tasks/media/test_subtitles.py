"""Text tracks are read as they stand in the file, markup taken off."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

from tasks.media.jobs import run_probe, run_subtitles
from tasks.media.limits import Limits, MediaRefused
from tasks.media.subtitles import Cue
from tests.support import media

CUES = (Cue(0.2, 0.9, "A storm is coming."), Cue(1.1, 1.9, "Zwei Zeilen,\nmit Ümlauten – 嵐"))
_MILLISECOND = Fraction(1, 1000)


async def test_the_cues_of_an_mp4_come_back_as_they_went_in(shelf: Path, limits: Limits) -> None:
    found = await run_subtitles(media.video(shelf, cues=CUES), limits)

    assert found.cues == CUES
    assert (found.language, found.codec) == ("eng", "mov_text")


@pytest.mark.parametrize(
    ("codec", "data", "text"),
    [
        ("subrip", b"<i>High</i> waves <b>hit</b>\r\nthe boat", "High waves hit\nthe boat"),
        ("webvtt", b"<v Anna>Look &amp; see<00:00:01.000><c.loud> there</c>", "Look & see there"),
        ("ass", rb"0,0,Default,,0,0,0,,{\an8\i1}The quay,{\i0}\Ntonight\hnow", "The quay,\ntonight now"),
    ],
)
async def test_markup_is_taken_off_in_every_format(
    codec: str, data: bytes, text: str, tmp_path: Path, limits: Limits
) -> None:
    path = tmp_path / "a.mkv"
    _matroska(path, {codec: data})

    found = await run_subtitles(path, limits)

    assert found.cues == (Cue(0.5, 1.5, text),)
    assert found.codec == codec


async def test_a_track_is_chosen_by_its_index(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "a.mkv"
    _matroska(path, {"subrip": b"one", "ass": b"0,0,Default,,0,0,0,,two"})
    tracks = (await run_probe(path, limits)).subtitles

    texts = [(await run_subtitles(path, limits, track.index)).cues[0].text for track in tracks]

    assert texts == ["one", "two"]


async def test_a_file_without_text_is_refused(shelf: Path, limits: Limits) -> None:
    with pytest.raises(MediaRefused) as refused:
        await run_subtitles(media.video(shelf), limits)

    assert refused.value.code == "NO_SUBTITLES"


def _matroska(path: Path, tracks: dict[str, bytes]) -> None:
    """Two seconds of picture, and one cue from 0.5 to 1.5 s on every track."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10, width=64, height=64, pix_fmt="yuv420p")
        texts = {codec: out.add_stream(codec) for codec in tracks}
        for text in texts.values():
            assert isinstance(text, SubtitleStream)
            text.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
            text.codec_context.time_base = _MILLISECOND
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
            frame.pts = index
            out.mux(video.encode(frame))
            if index == 5:
                out.mux([_packet(texts[codec], data) for codec, data in tracks.items()])
        out.mux(video.encode())


def _packet(stream: av.stream.Stream, data: bytes) -> "Packet[av.stream.Stream]":
    packet = Packet(data)
    packet.stream, packet.time_base = stream, _MILLISECOND
    packet.pts = packet.dts = 500
    packet.duration = 1000
    return packet
