"""Whether a file is all there, by what its own container declares: decoders are too polite to say."""

import os
from collections.abc import Callable

_BOXES = frozenset(
    b"ftyp moov mdat moof free skip wide udta uuid meta mfra sidx styp pdin emsg prft pnot".split()
)
_MAX_BOXES = 200_000
_MAX_SEGMENTS = 1000
_CHUNK = 1 << 20


def is_cut_off(fd: int, mime_type: str, size: int) -> bool:
    """Whether the file of `size` bytes ends before its container says; False where that is silent."""
    check = _CHECKS.get(mime_type)
    return check is not None and check(fd, size)


def _boxes(fd: int, size: int) -> bool:
    at = 0
    for _ in range(_MAX_BOXES):
        header = os.pread(fd, 16, at)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        # Zero means "to the end"; what is no known box is somebody's trailer.
        if length < 8 or kind not in _BOXES:
            return False
        at += length
        if at >= size:
            return at > size
    return False


def _riff(fd: int, size: int) -> bool:
    declared = int.from_bytes(os.pread(fd, 4, 4), "little")
    # Recorders that never came back to the header leave the largest size or none.
    return 0 < declared < 0xFFFFF000 and declared + 8 > size


def _segment(fd: int, size: int) -> bool:
    head = os.pread(fd, 128, 0)
    header, at = _ebml_size(head, 4)
    segment = at + (header or 0)
    if header is None or head[segment : segment + 4] != b"\x18\x53\x80\x67":
        return False
    declared, at = _ebml_size(head, segment + 4)
    return declared is not None and at + declared > size


def _ebml_size(head: bytes, at: int) -> tuple[int | None, int]:
    """The variable-length size at `at` and where its content begins; None where unknown (a recording)."""
    length = 9 - head[at].bit_length() if at < len(head) else 9
    if length > 8:
        return None, at
    value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def _jpeg(fd: int, size: int) -> bool:
    """Whether no end marker follows the start of the scan (a thumbnail's, before it, does not count)."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker = os.pread(fd, 4, at)
        if marker[:1] != b"\xff" or len(marker) < 4:
            return len(marker) < 4
        at += 2 + int.from_bytes(marker[2:], "big")
        if marker[1] == 0xDA:
            return not _found(fd, b"\xff\xd9", at, size)
    return False


def _found(fd: int, wanted: bytes, at: int, size: int) -> bool:
    steps = range(at, size, _CHUNK)
    return any(wanted in os.pread(fd, _CHUNK + len(wanted) - 1, start) for start in steps)


def _gif(fd: int, size: int) -> bool:
    return not os.pread(fd, 64, max(0, size - 64)).rstrip(b"\0\r\n").endswith(b";")


_CHECKS: dict[str, Callable[[int, int], bool]] = {
    **dict.fromkeys(("video/mp4", "video/quicktime", "video/3gpp", "audio/mp4", "image/avif"), _boxes),
    **dict.fromkeys(("video/x-msvideo", "audio/wav", "image/webp"), _riff),
    **dict.fromkeys(("video/x-matroska", "video/webm"), _segment),
    "image/jpeg": _jpeg,
    "image/gif": _gif,
}
