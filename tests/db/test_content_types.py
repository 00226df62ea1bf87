"""What stored bytes are called."""

import pytest

from db.content_types import by_suffix, sniff


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "video/quicktime"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "audio/mp4"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "image/avif"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webmB\x87", "video/webm"),
        (b"\x1a\x45\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\x24\x08\0\0WAVEfmt ", "audio/wav"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"ID3\4\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"OggS\0\2", "audio/ogg"),
        (b"#EXTM3U\nfile.ts", None),
        (b"<!doctype html>", None),
        (b"", None),
        (b"MZ\x90\0", None),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else str(value),
)
def test_media_is_known_by_its_first_bytes(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected


def test_a_suffix_says_what_a_key_holds() -> None:
    assert by_suffix("runs/1/captions.vtt") == "text/vtt"
    assert by_suffix("runs/1/frame.JPG") == "image/jpeg"
    assert by_suffix("runs/1/original") is None
