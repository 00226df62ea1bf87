"""A first look tells all about a good file and refuses a bad one with a sentence."""

import hashlib
import json
import socket
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.media.child.tags import iso6709
from tasks.media.jobs import run_probe
from tasks.media.limits import Limits, MediaRefused
from tasks.media.probe import Probe, SubtitleTrack
from tasks.media.subtitles import Cue
from tests.support import media
from tests.tasks.media.test_sandbox import opens_of

TAGS = {"creation_time": "2024-05-06T07:08:09Z", "location": "+59.9075+010.7360/"}


async def refusal(path: Path, limits: Limits) -> MediaRefused:
    with pytest.raises(MediaRefused) as refused:
        await run_probe(path, limits)
    assert refused.value.reason.endswith(".")
    return refused.value


async def test_a_video_tells_everything_about_itself(shelf: Path, limits: Limits) -> None:
    cues = [Cue(0.2, 0.9, "hello")]
    path = media.video(shelf, (1.0, 1.0), size=(640, 360), cues=cues, tags=TAGS, rotation=90)

    found = await run_probe(path, limits)

    data = path.read_bytes()
    assert replace(found, raw={}) == Probe(
        kind="VIDEO",
        format="mp4",
        mime_type="video/mp4",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        duration_seconds=2.0,
        width=640,
        height=360,
        fps=25.0,
        video_codec="h264",
        audio_codec="aac",
        bitrate=len(data) * 4,
        rotation=90,
        has_audio=True,
        hdr=False,
        created_at="2024-05-06T07:08:09.000Z",
        latitude=59.9075,
        longitude=10.736,
        subtitles=(SubtitleTrack(2, "mov_text", "eng"),),
        raw={},
    )
    assert [stream["codec_type"] for stream in found.raw["streams"]] == ["video", "audio", "subtitle"]
    assert found.raw["format"]["tags"]["location"] == "+59.9075+010.7360/"


async def test_a_video_without_sound_says_so(shelf: Path, limits: Limits) -> None:
    found = await run_probe(media.video(shelf, sound=None), limits)

    assert (found.has_audio, found.audio_codec, found.created_at, found.latitude) == (False, None, None, None)


async def test_a_sound_file_is_audio(shelf: Path, limits: Limits) -> None:
    found = await run_probe(media.audio(shelf), limits)

    assert (found.kind, found.format, found.mime_type, found.duration_seconds) == (
        "AUDIO",
        "wav",
        "audio/wav",
        1.5,
    )
    assert (found.width, found.fps, found.video_codec) == (None, None, None)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "bmp", "tiff", "avif"])
async def test_an_image_is_an_image(kind: str, shelf: Path, limits: Limits) -> None:
    found = await run_probe(media.image(shelf, kind), limits)

    assert (found.kind, found.width, found.height, found.duration_seconds, found.bitrate) == (
        "IMAGE",
        400,
        300,
        None,
        None,
    )
    assert found.mime_type == f"image/{kind}".replace("jpg", "jpeg")


async def test_a_photo_says_where_when_and_which_way_up(shelf: Path, limits: Limits) -> None:
    found = await run_probe(media.geotagged_jpeg(shelf), limits)

    assert (found.latitude, found.longitude) == (59.9075, 10.736)
    assert found.created_at == "2024-05-06T05:08:09.000Z"
    assert found.rotation == 90


@pytest.mark.parametrize(
    ("name", "mime_type", "codecs"),
    [
        ("a.mov", "video/quicktime", ("libx264", "aac")),
        ("a.mkv", "video/x-matroska", ("libx264", "aac")),
        ("a.webm", "video/webm", ("libvpx-vp9", "libopus")),
        ("a.avi", "video/x-msvideo", ("mpeg4", "libmp3lame")),
        ("a.ts", "video/mp2t", ("libx264", "aac")),
        ("a.flv", "video/x-flv", ("libx264", "aac")),
        ("a.mpg", "video/mpeg", ("mpeg2video", "mp2")),
        ("a.m4a", "audio/mp4", (None, "aac")),
        ("a.mp3", "audio/mpeg", (None, "libmp3lame")),
        ("a.flac", "audio/flac", (None, "flac")),
        ("a.ogg", "audio/ogg", (None, "libopus")),
        ("sound-only.mkv", "audio/x-matroska", (None, "aac")),
    ],
)
async def test_every_container_is_named_by_its_content(
    name: str, mime_type: str, codecs: tuple[str | None, str], tmp_path: Path, limits: Limits
) -> None:
    path = tmp_path / name
    _small(path, *codecs)

    found = await run_probe(path.rename(tmp_path / "renamed.bin"), limits)

    assert found.mime_type == mime_type
    assert found.kind == mime_type.partition("/")[0].upper()
    assert found.duration_seconds == pytest.approx(1.2, abs=0.1)


def _small(path: Path, video: str | None, audio: str, *, pieces: int = 30) -> None:
    with av.open(str(path), "w") as out:
        pictures = out.add_stream(video, rate=25, width=320, height=180, pix_fmt="yuv420p") if video else None
        sound = out.add_stream(audio, rate=48_000)
        assert isinstance(sound, av.AudioStream)
        for index in range(pieces):
            if isinstance(pictures, av.VideoStream):
                frame = av.VideoFrame.from_ndarray(
                    np.full((180, 320, 3), 5 * index, np.uint8), format="rgb24"
                )
                frame.pts = index
                out.mux(pictures.encode(frame))
            block = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = 48_000, 1920 * index, Fraction(1, 48_000)
            out.mux(sound.encode(block))
        if isinstance(pictures, av.VideoStream):
            out.mux(pictures.encode())
        out.mux(sound.encode())


async def test_a_live_recording_without_a_duration_is_measured(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "live.webm"
    with path.open("wb") as file:
        # A recorder cannot seek back to fill in the header.
        _record(file.write)

    found = await run_probe(path, limits)

    assert found.duration_seconds == pytest.approx(2.0, abs=0.1)


class _Pipe:
    """Takes bytes and cannot seek."""

    def __init__(self, write: object) -> None:
        self.write = write


def _record(write: object) -> None:
    with av.open(_Pipe(write), "w", format="webm") as out:
        stream = out.add_stream("libvpx", rate=25, width=64, height=64, pix_fmt="yuv420p")
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 5 * index, np.uint8), format="rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


async def test_an_mp4_called_txt_is_taken(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(media.video(shelf).read_bytes())

    assert (await run_probe(path, limits)).format == "mp4"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY"),
        (b"just a text\n" * 50, "NOT_MEDIA"),
        (bytes(100_000), "NOT_MEDIA"),
        (b"PK\x03\x04" + bytes(1000), "NOT_MEDIA"),
        (b"\0\0\0\x20ftypisom" + bytes(range(256)) * 40, "TRUNCATED"),
        (b"\x1aE\xdf\xa3" + bytes(range(256)) * 40, "CORRUPT"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(300) + b"\xff\xd9", "CORRUPT"),
    ],
)
async def test_what_calls_itself_an_mp4_and_is_none_is_refused(
    data: bytes, code: str, tmp_path: Path, limits: Limits
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)

    assert (await refusal(path, limits)).code == code


async def test_a_folder_is_no_media(tmp_path: Path, limits: Limits) -> None:
    assert (await refusal(tmp_path, limits)).code == "NOT_MEDIA"


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
async def test_a_cut_off_video_is_refused_as_cut_off(part: float, shelf: Path, limits: Limits) -> None:
    refused = await refusal(media.truncated(media.video(shelf), part), limits)

    assert refused.code == "TRUNCATED"
    assert "cut off" in refused.reason


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.flv"])
async def test_other_containers_are_seen_to_be_cut_off_where_they_can_tell(
    name: str, tmp_path: Path, limits: Limits
) -> None:
    _small(tmp_path / name, "mpeg4" if name == "a.avi" else "libx264", "aac" if name != "a.avi" else "mp2")
    path = media.truncated(tmp_path / name)

    if name == "a.flv":
        # FLV declares no size: what is there counts.
        assert (await run_probe(path, limits)).format == "flv"
    else:
        assert (await refusal(path, limits)).code == "TRUNCATED"


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "webp", "avif"])
async def test_half_a_picture_is_refused(kind: str, shelf: Path, limits: Limits) -> None:
    refused = await refusal(media.truncated(media.image(shelf, kind)), limits)

    assert refused.code in ("TRUNCATED", "CORRUPT")


async def test_a_playlist_is_refused_and_opens_no_other_file(
    tmp_path: Path, shelf: Path, limits: Limits
) -> None:
    sibling = tmp_path / "sibling.mp4"
    sibling.write_bytes(media.video(shelf).read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.ts"
        path = media.playlist(tmp_path, f"file://{sibling}", "sibling.mp4", "file:///etc/passwd", address)
        with opens_of(sibling) as opens:
            refused = await refusal(path, limits)
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert refused.code == "PLAYLIST"
    assert "hls" in refused.reason
    assert opens == []


async def test_a_picture_of_too_many_pixels_is_refused_by_its_header_alone(
    shelf: Path, limits: Limits
) -> None:
    bomb = media.pixel_bomb(shelf)
    assert bomb.stat().st_size < 710_000

    # Decoding it takes 3 s of CPU time, the child's whole start 0.1 s.
    refused = await refusal(bomb, replace(limits, cpu_seconds=1))

    assert refused.code == "TOO_MANY_PIXELS"
    assert "16000x15000" in refused.reason


async def test_a_video_whose_pictures_are_too_large_is_refused(shelf: Path, limits: Limits) -> None:
    refused = await refusal(media.video(shelf), replace(limits, max_pixels=320 * 180 - 1))

    assert refused.code == "TOO_MANY_PIXELS"


async def test_a_day_in_one_megabyte_is_too_long(shelf: Path, limits: Limits) -> None:
    path = media.day_long(shelf)
    assert path.stat().st_size < 1_500_000

    refused = await refusal(path, limits)

    assert refused.code == "TOO_LONG"
    assert "24.0 hours" in refused.reason


async def test_too_many_streams_are_refused(shelf: Path, limits: Limits) -> None:
    refused = await refusal(media.video(shelf), replace(limits, max_streams=1))

    assert refused.code == "TOO_MANY_STREAMS"


async def test_a_codec_off_the_list_is_refused_by_name(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "old.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("msmpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux([*stream.encode(frame), *stream.encode()])

    refused = await refusal(path, limits)

    assert refused.code == "NO_DECODER"
    assert "msmpeg4" in refused.reason


async def test_a_stream_that_cannot_be_decoded_fails_here(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    data = bytearray(media.video(shelf, sound=None).read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov")
    data[start:end] = bytes(end - start)
    path = tmp_path / "hollow.mp4"
    path.write_bytes(data)

    assert (await refusal(path, limits)).code == "CORRUPT"


async def test_hostile_tags_are_bounded_and_clean(shelf: Path, limits: Limits) -> None:
    tags = {"title": "a\x01\x02b" + "x" * 5000, **{f"key{i}": "value" for i in range(200)}}

    found = await run_probe(media.video(shelf, tags=tags), limits)

    kept = found.raw["format"]["tags"]
    assert len(kept) <= 64
    assert kept["title"].startswith("ab")
    assert len(kept["title"]) <= 500
    assert "NaN" not in json.dumps(found.raw)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+59.9075+010.7360/", (59.9075, 10.736)),
        ("-33.8568+151.2153+005.000/", (-33.8568, 151.2153)),
        ("+5954.45+01044.16/", (59.9075, 10.736)),
        ("+595427.0+0104409.6/", (59.9075, 10.736)),
        ("+95.0+010.0/", None),
        ("+00.0000+000.0000/", None),
        ("+599075123456+01/", None),
        ("somewhere", None),
    ],
)
def test_a_place_in_iso_6709_is_read_in_every_form(text: str, place: tuple[float, float] | None) -> None:
    assert iso6709(text) == (pytest.approx(place) if place else None)
