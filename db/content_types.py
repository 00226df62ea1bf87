"""What stored bytes are called in HTTP: by the key's suffix, else by their first bytes."""

import re

HEAD_BYTES = 64
OCTETS = "application/octet-stream"

SUFFIXES = {
    "ass": "text/x-ssa",
    "avif": "image/avif",
    "flac": "audio/flac",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "npy": OCTETS,
    "npz": OCTETS,
    "ogg": "audio/ogg",
    "png": "image/png",
    "srt": "application/x-subrip",
    "ts": "video/mp2t",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}

SIGNATURES = [
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"RIFF....AVI ", "video/x-msvideo"),
        (rb"....ftyp(avif|avis)", "image/avif"),
        (rb"....ftyp(heic|heix|mif1|msf1)", "image/heic"),
        (rb"....ftypM4[AB]", "audio/mp4"),
        (rb"....ftypqt", "video/quicktime"),
        (rb"....ftyp", "video/mp4"),
        (rb"....(moov|mdat|wide|free|skip)", "video/quicktime"),
        (rb"\x1a\x45\xdf\xa3.*webm", "video/webm"),
        (rb"\x1a\x45\xdf\xa3", "video/x-matroska"),
        (rb"OggS", "audio/ogg"),
        (rb"fLaC", "audio/flac"),
        (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
        (rb"FLV\x01", "video/x-flv"),
        (rb"\x00\x00\x01[\xb3\xba]", "video/mpeg"),
        (rb"\x47.{187}\x47|\x47[\x40\x41\x50\x5f]", "video/mp2t"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    )
]


def by_suffix(key: str) -> str | None:
    """The content type that the key's suffix stands for; None if it says nothing."""
    return SUFFIXES.get(key.rpartition(".")[2].lower())


def sniff(head: bytes) -> str | None:
    """The content type of a media file by its first `HEAD_BYTES` bytes; None if they are no media we know."""
    return next((name for pattern, name in SIGNATURES if pattern.match(head)), None)
