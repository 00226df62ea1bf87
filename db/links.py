"""Signed links: an HMAC-SHA-256 over length-prefixed fields, so that a link grants exactly what it says."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from db.errors import Expired, Forbidden

HOUR = 3600
BLOCK = 64
SECONDS = re.compile(r"[0-9]{1,11}")
FORGED = "This link is not one of ours, or it was changed."


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """What signs read links for one hour: HMAC-SHA-256 spelt as two nested hashes, as SQL computes it.

    With `inner`, `outer` and `expires` (as text) for parameters, the signature of a key in SQL is
    encode(sha256(outer || sha256(inner || f(key) || f(expires))), 'hex'), where
    f(t) = int4send(octet_length(t)) || convert_to(t, 'UTF8').
    """

    expires: int
    inner: bytes
    outer: bytes

    def sign(self, key: str) -> str:
        """The hex signature that lets anyone read object `key` until `expires` (unix seconds)."""
        inside = hashlib.sha256(self.inner + prefixed(key, str(self.expires)))
        return hashlib.sha256(self.outer + inside.digest()).hexdigest()

    def query(self, key: str) -> str:
        """The query string of a read link."""
        return f"e={self.expires}&s={self.sign(key)}"


@dataclass(frozen=True, slots=True)
class PartTicket:
    """What a part link allows: these many bytes at this offset of this upload, until `expires`.

    `sha256` (hex) is empty when the uploader did not declare the part's checksum.
    """

    upload_id: str
    number: int
    offset_bytes: int
    size_bytes: int
    expires: int
    sha256: str = ""

    def query(self, master: bytes) -> str:
        """The query string of a part link."""
        fields = {
            "o": str(self.offset_bytes),
            "n": str(self.size_bytes),
            "e": str(self.expires),
            "h": self.sha256,
        }
        signature = _part_signature(master, self.upload_id, str(self.number), fields)
        return "&".join(f"{name}={value}" for name, value in {**fields, "s": signature}.items())


def read_window(master: bytes, now: float) -> ReadWindow:
    """The window of `now` (unix seconds): its links hold for one to two hours, equal within the hour."""
    return _window(master, (int(now) // HOUR + 2) * HOUR)


def check_read(master: bytes, key: str, query: Mapping[str, str], now: float) -> int:
    """The unix second until which the link holds; Forbidden if forged, Expired if it was good once."""
    expires = query.get("e", "")
    if not SECONDS.fullmatch(expires):
        raise Forbidden(FORGED)
    if not _equal(_window(master, int(expires)).sign(key), query.get("s", "")):
        raise Forbidden(FORGED)
    return _unexpired(int(expires), now)


def check_part(
    master: bytes, upload_id: str, number: str, query: Mapping[str, str], now: float
) -> PartTicket:
    """What a part link allows; Forbidden if forged, Expired if it was good once."""
    fields = {name: query.get(name, "") for name in ("o", "n", "e", "h")}
    if not _equal(_part_signature(master, upload_id, number, fields), query.get("s", "")):
        raise Forbidden(FORGED)
    offset, size, expires = (int(fields[name]) for name in ("o", "n", "e"))
    return PartTicket(upload_id, int(number), offset, size, _unexpired(expires, now), fields["h"])


def prefixed(*fields: str) -> bytes:
    """Each field behind its length (four bytes, big-endian), so that no two lists of fields read the same."""
    encoded = [field.encode() for field in fields]
    return b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def _window(master: bytes, expires: int) -> ReadWindow:
    key = hmac.digest(master, prefixed("read", str(expires)), "sha256").ljust(BLOCK, b"\0")
    return ReadWindow(expires, bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key))


def _part_signature(master: bytes, upload_id: str, number: str, fields: Mapping[str, str]) -> str:
    key = hmac.digest(master, prefixed("part"), "sha256")
    return hmac.digest(key, prefixed(upload_id, number, *fields.values()), "sha256").hex()


def _equal(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode())


def _unexpired(expires: int, now: float) -> int:
    if expires <= now:
        raise Expired(f"This link expired at {datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M:%S} UTC.")
    return expires
