"""Object storage: one narrow contract for the local store and for buckets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from db.errors import InvalidInput

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=-]*(/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*")
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in equal parts (the last may be shorter), numbered from 1."""

    id: str
    size_bytes: int
    part_bytes: int

    @property
    def part_count(self) -> int:
        """How many parts there are."""
        return -(-self.size_bytes // self.part_bytes)

    def offset(self, number: int) -> int:
        """Where part `number` begins, in bytes."""
        return (number - 1) * self.part_bytes

    def size(self, number: int) -> int:
        """How many bytes part `number` has."""
        return min(self.part_bytes, self.size_bytes - self.offset(number))


class ObjectStore(Protocol):
    """Bytes by key. Keys are made by the server, never by a user; writes are whole or not at all."""

    async def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Keeps `data` as `key`, replacing what was there."""

    async def put_file(self, key: str, path: Path) -> None:
        """Keeps the file at `path` as `key`, replacing what was there; `path` must not change any more."""

    async def get_bytes(self, key: str) -> bytes:
        """The whole object; NotFound."""

    async def read(self, key: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`; fewer at the end of the object; NotFound."""

    async def size(self, key: str) -> int:
        """Size in bytes; NotFound."""

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    async def fetch(self, key: str, folder: Path) -> Path:
        """Puts the object into `folder` for local processing, to be read only; NotFound."""

    async def delete(self, key: str) -> None:
        """Removes the object; nothing happens if there is none."""

    def read_url(self, key: str, now: float | None = None) -> str:
        """A link to the object that holds for one to two hours and is the same within the hour."""

    async def sweep(self, older_than_seconds: float) -> None:
        """Removes what was begun and not finished, and has not changed for so long."""

    async def open_upload(self, upload_id: str, size_bytes: int, part_bytes: int) -> Upload:
        """Begins an upload; InvalidInput for impossible sizes, InsufficientStorage."""

    def part_url(self, upload: Upload, number: int, expires_at: datetime, sha256: str = "") -> str:
        """Where to PUT exactly part `number`; with `sha256` (hex) no other bytes are taken."""

    async def received_parts(self, upload: Upload) -> Mapping[int, str]:
        """The etag of each part that has arrived, by number."""

    async def complete(self, upload: Upload, parts: Sequence[tuple[int, str]], key: str) -> None:
        """Makes the upload the object `key`, if each part (number, etag) has arrived so; may be repeated.

        InvalidInput for missing or other parts, Conflict while a part is being written, NotFound.
        """

    async def abort(self, upload: Upload) -> None:
        """Throws away what has arrived; nothing happens if nothing has."""


def checked_key(key: str) -> str:
    """`key` itself; ValueError if it could name anything outside the store."""
    if len(key) > 512 or not KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def new_upload(upload_id: str, size_bytes: int, part_bytes: int) -> Upload:
    """The upload's plan; InvalidInput if it has no bytes or too many parts."""
    if size_bytes < 1:
        raise InvalidInput("An upload needs at least one byte.", ["sizeBytes"])
    upload = Upload(upload_id, size_bytes, part_bytes)
    if upload.part_count > MAX_PARTS:
        raise InvalidInput(f"An upload has at most {MAX_PARTS} parts: use larger ones.", ["sizeBytes"])
    return upload
