"""First bytes decide what a file is, whatever its name says."""

import sys
from pathlib import Path
from subprocess import run

import pytest

from tasks.media.magic import FORMATS, playlist, sniff
from tests.support import media


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "video/quicktime"),
        (b"\0\0\x57\x24mdat\0\0\0\0", "video/quicktime"),
        (b"\0\0\0\x20ftyp3gp6\0\0\1\0", "video/3gpp"),
        (b"\0\0\0\x1cftypM4A \0\0\2\0", "audio/mp4"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image/avif"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webmB\x87", "video/webm"),
        (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\xd6\xd4\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\xd6\xd4\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\xd6\xd4\0\0WEBPVP8 ", "image/webp"),
        (b"FORM\0\0\0\0AIFFCOMM", "audio/aiff"),
        (b"OggS" + bytes(24) + b"\x01\x13OpusHead", "audio/ogg"),
        (b"OggS" + bytes(24) + b"\x80theora", "video/ogg"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"ID3\x04\0\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\0", "audio/mpeg"),
        (b"\xff\xf1\x4c\x80\x25", "audio/aac"),
        (b"FLV\x01\x05\0\0\0\x09", "video/x-flv"),
        (b"\0\0\x01\xba\x21\0\1\0", "video/mpeg"),
        (b"G@\x11\x10\0B\xf0%\0\x01\xc1\0\0\xff\x01\xff", "video/mp2t"),
        (b"\xff\xd8\xff\xe1\0\xda", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"GIF89a\x90\x01", "image/gif"),
        (b"BM\x76\x7e\x05\0\0\0\0\0\x36\0", "image/bmp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
    ],
)
def test_media_is_known_by_its_first_bytes(head: bytes, mime_type: str) -> None:
    assert sniff(head) == mime_type
    assert mime_type in FORMATS


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        bytes(64),
        b"Going home: a text that begins with the byte of MPEG-TS, and goes on",
        b"BMW is a car maker",
        b"\xff\xfeh\0e\0l\0l\0o\0",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"<svg xmlns=",
        b"#!/bin/sh",
        b"\x7fELF\x02\x01\x01",
        b"\0\0\0\x1cftypheic\0\0\0\0mif1heic",
        b"RIFF\0\0\0\0ACON",
    ],
)
def test_what_is_no_media_has_no_type(head: bytes) -> None:
    assert sniff(head) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "hls"),
        (b"\xef\xbb\xbf\n #extm3u\n", "hls"),
        (b'<?xml version="1.0" encoding="utf-8"?>\n<MPD xmlns=', "dash"),
        (b"<MPD xmlns=", "dash"),
        (b"ffconcat version 1.0\nfile a.mp4", "concat"),
        (b"file '/etc/passwd'", "concat"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1", "sdp"),
    ],
)
def test_a_playlist_is_known_and_is_no_media(head: bytes, kind: str) -> None:
    assert playlist(head) == kind
    assert sniff(head) is None


def test_sixty_four_bytes_are_enough_for_what_we_make(shelf: Path) -> None:
    files = [media.video(shelf), media.audio(shelf), media.image(shelf, "webp")]

    types = [sniff(path.read_bytes()[:64]) for path in files]

    assert types == ["video/mp4", "audio/wav", "image/webp"]


def test_the_web_may_ask_without_loading_a_decoder() -> None:
    code = "import sys, tasks.media.magic; sys.exit(bool({'av', 'cv2', 'numpy'} & set(sys.modules)))"

    assert run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
