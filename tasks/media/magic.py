"""What a file is, by its first bytes: nothing is opened or decoded, so the web may ask too."""

from dataclasses import dataclass

#: Enough for every rule below; with fewer bytes (64 at least) only MPEG-TS is less certain.
HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Format:
    """A container we take: its own name, and libav's demuxer that reads it."""

    name: str
    demuxer: str


#: Every MIME type that is accepted, with one demuxer: libav must never guess (it may guess a playlist).
FORMATS = {
    "video/mp4": Format("mp4", "mov"),
    "video/quicktime": Format("mov", "mov"),
    "video/3gpp": Format("3gp", "mov"),
    "audio/mp4": Format("m4a", "mov"),
    "video/x-matroska": Format("matroska", "matroska"),
    "video/webm": Format("webm", "matroska"),
    "video/x-msvideo": Format("avi", "avi"),
    "video/mp2t": Format("mpegts", "mpegts"),
    "video/mpeg": Format("mpeg", "mpeg"),
    "video/x-flv": Format("flv", "flv"),
    "video/ogg": Format("ogg", "ogg"),
    "audio/ogg": Format("ogg", "ogg"),
    "audio/mpeg": Format("mp3", "mp3"),
    "audio/aac": Format("aac", "aac"),
    "audio/flac": Format("flac", "flac"),
    "audio/wav": Format("wav", "wav"),
    "audio/aiff": Format("aiff", "aiff"),
    "image/jpeg": Format("jpeg", "jpeg_pipe"),
    "image/png": Format("png", "png_pipe"),
    "image/gif": Format("gif", "gif"),
    "image/webp": Format("webp", "webp_pipe"),
    "image/bmp": Format("bmp", "bmp_pipe"),
    "image/tiff": Format("tiff", "tiff_pipe"),
    "image/avif": Format("avif", "mov"),
}

_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
)
_RIFF = {b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav", b"WEBP": "image/webp"}
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
_BOXES_OF_OLD_QUICKTIME = {b"moov", b"mdat", b"wide", b"pnot"}
_PLAYLISTS = (
    (b"#EXTM3U", "hls"),
    (b"#EXTINF", "hls"),
    (b"ffconcat", "concat"),
    (b"file ", "concat"),
    (b"v=0", "sdp"),
    (b"[playlist]", "pls"),
    (b"[Reference]", "asx"),
    (b"<asx", "asx"),
    (b"<smil", "smil"),
    (b"<MPD", "dash"),
)


def sniff(head: bytes) -> str | None:
    """The MIME type of a file that begins with `head`, one of FORMATS; None where it is no media we take."""
    for prefix, mime_type in _PREFIXES:
        if head.startswith(prefix):
            return mime_type
    return _boxed(head) or _chunked(head) or _stream(head)


def playlist(head: bytes) -> str | None:
    """Which kind of playlist `head` begins (a text that names other files or hosts), or None."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<?xml") and b"<MPD" in text:
        return "dash"
    return next((kind for start, kind in _PLAYLISTS if text[: len(start)].lower() == start.lower()), None)


def _boxed(head: bytes) -> str | None:
    kind, brand = head[4:8], head[8:12]
    if kind == b"ftyp":
        if brand in _HEIF_BRANDS:
            return "image/avif" if b"avif" in head[16:64] else None
        return "video/3gpp" if brand.startswith((b"3gp", b"3g2")) else _BRANDS.get(brand, "video/mp4")
    return "video/quicktime" if kind in _BOXES_OF_OLD_QUICKTIME else None


def _chunked(head: bytes) -> str | None:
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head[4:64] else "video/x-matroska"
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM":
        return "audio/aiff" if head[8:12] in (b"AIFF", b"AIFC") else None
    if head[:4] == b"OggS":
        return "video/ogg" if b"theora" in head[28:64] else "audio/ogg"
    # "BM" alone also begins prose: a bitmap's two reserved words are zero.
    return "image/bmp" if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" else None


def _stream(head: bytes) -> str | None:
    if len(head) < 5:
        return None
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    # MPEG audio layer III with a possible bit rate and sample rate; a UTF-16 byte order mark is not one.
    if head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C:
        return "audio/mpeg"
    return "video/mp2t" if _is_transport_stream(head) else None


def _is_transport_stream(head: bytes) -> bool:
    looks_so = head[0] == 0x47 and not head[1] & 0x80 and head[3] >> 4 in (1, 3)
    packets = head[::188]
    return looks_so and set(packets) == {0x47} and not head[:64].isascii()
