"""The local object store: files under one folder, signed links, uploads in parts; see `db.objects`."""

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from db import links
from db.content_types import by_suffix
from db.durable import in_thread, place, typed_disk_errors
from db.errors import InsufficientStorage, InvalidInput, NotFound
from db.objects import Upload, checked_key, new_upload
from db.parts import open_data, receive_part, received


class LocalStore:
    """Objects as files: `data/<key>`, uploads under way in `uploads/<id>`, drafts in `drafts`.

    `root` is one file system, so that finished files are moved, never copied, to their names.
    """

    def __init__(self, root: Path, *, master_key: bytes, base_url: str) -> None:
        self._root = root
        self._master = master_key
        self._base = base_url.rstrip("/")
        for name in ("data", "drafts", "uploads"):
            (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where `key` lies, whether it exists or not; ValueError for what is no key."""
        return self._root / "data" / checked_key(key)

    async def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Keeps `data` as `key`; ValueError if the key's suffix says another content type."""
        if by_suffix(key) not in (None, content_type):
            raise ValueError(f"{key!r} would be served as {by_suffix(key)}, not {content_type}")
        await in_thread(self._put, key, lambda draft: draft.write_bytes(data))

    async def put_file(self, key: str, path: Path) -> None:
        """Keeps the file at `path` as `key`; `path` must not change any more."""
        await in_thread(self._put, key, lambda draft: _link_or_copy(path, draft))

    async def get_bytes(self, key: str) -> bytes:
        """The whole object; NotFound."""
        with _missing_is_typed():
            return await in_thread(self.path(key).read_bytes)

    async def read(self, key: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`; fewer at the end of the object; NotFound."""
        with _missing_is_typed():
            return await in_thread(_read, self.path(key), start, length)

    async def size(self, key: str) -> int:
        """Size in bytes; NotFound."""
        with _missing_is_typed():
            return (await in_thread(self.path(key).stat)).st_size

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return await in_thread(self.path(key).is_file)

    async def fetch(self, key: str, folder: Path) -> Path:
        """Puts the object into `folder` under its last name: to be read only, it may be the object itself."""
        target = folder / Path(key).name
        with _missing_is_typed(), typed_disk_errors():
            await in_thread(_link_or_copy, self.path(key), target)
        return target

    async def delete(self, key: str) -> None:
        """Removes the object; nothing happens if there is none."""
        await in_thread(self.path(key).unlink, missing_ok=True)

    def read_url(self, key: str, now: float | None = None) -> str:
        """A link to the object that holds for one to two hours and is the same within the hour."""
        window = links.read_window(self._master, time.time() if now is None else now)
        return f"{self._base}/media/{checked_key(key)}?{window.query(key)}"

    def check_read(self, key: str, query: Mapping[str, str]) -> int:
        """The unix second until which a read link holds; Forbidden, Expired."""
        return links.check_read(self._master, key, query, time.time())

    async def open_upload(self, upload_id: str, size_bytes: int, part_bytes: int) -> Upload:
        """Begins an upload in one sparse file; InvalidInput, InsufficientStorage; harmless if repeated."""
        upload = new_upload(upload_id, size_bytes, part_bytes)
        await in_thread(self._open_upload, upload)
        return upload

    def part_url(self, upload: Upload, number: int, expires_at: datetime, sha256: str = "") -> str:
        """Where to PUT exactly part `number` until `expires_at`; `sha256` (hex) allows no other bytes."""
        ticket = links.PartTicket(
            upload.id,
            number,
            upload.offset(number),
            upload.size(number),
            int(expires_at.timestamp()),
            sha256,
        )
        return f"{self._base}/store/{upload.id}/{number}?{ticket.query(self._master)}"

    def check_part(self, upload_id: str, number: str, query: Mapping[str, str]) -> links.PartTicket:
        """What a part link allows; Forbidden, Expired."""
        return links.check_part(self._master, upload_id, number, query, time.time())

    async def write_part(
        self, ticket: links.PartTicket, chunks: AsyncIterator[bytes], checksum: str | None
    ) -> str:
        """Takes the bytes of one part, and their sha256 in base64 if sent; its etag. See `receive_part`."""
        return await receive_part(self._folder(ticket.upload_id), ticket, chunks, checksum)

    async def received_parts(self, upload: Upload) -> Mapping[int, str]:
        """The etag of each part that is safely on disk, by number."""
        return await in_thread(received, self._folder(upload.id))

    async def complete(self, upload: Upload, parts: Sequence[tuple[int, str]], key: str) -> None:
        """Moves the whole upload to `key`, if each part (number, etag) has arrived so; may be repeated.

        InvalidInput for missing or other parts, Conflict while a part is being written, NotFound.
        """
        await in_thread(self._complete, upload, parts, key)

    async def abort(self, upload: Upload) -> None:
        """Throws away what has arrived; nothing happens if nothing has."""
        await in_thread(shutil.rmtree, self._folder(upload.id), ignore_errors=True)

    async def sweep(self, older_than_seconds: float) -> None:
        """Removes drafts and uploads that nobody finished and that have not changed for so long."""
        await in_thread(self._sweep, time.time() - older_than_seconds)

    def _folder(self, upload_id: str) -> Path:
        return self._root / "uploads" / checked_key(upload_id)

    def _put(self, key: str, write: Callable[[Path], object]) -> None:
        target = self.path(key)
        draft = self._root / "drafts" / secrets.token_hex(16)
        try:
            with typed_disk_errors():
                write(draft)
                target.parent.mkdir(parents=True, exist_ok=True)
                place(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    def _open_upload(self, upload: Upload) -> None:
        if shutil.disk_usage(self._root).free < upload.size_bytes:
            raise InsufficientStorage("There is no room left for an upload of this size.")
        folder = self._folder(upload.id)
        (folder / "parts").mkdir(parents=True, exist_ok=True)
        with typed_disk_errors(), (folder / "data").open("ab") as data:
            data.truncate(upload.size_bytes)

    def _complete(self, upload: Upload, parts: Sequence[tuple[int, str]], key: str) -> None:
        folder, target = self._folder(upload.id), self.path(key)
        try:
            with open_data(folder, fcntl.LOCK_EX):
                _check_parts(upload, parts, received(folder))
                target.parent.mkdir(parents=True, exist_ok=True)
                place(folder / "data", target)
        except NotFound:
            # Done before, by this call's first attempt; its last step may be missing.
            if not target.is_file():
                raise
        shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self, before: float) -> None:
        for draft in (self._root / "drafts").iterdir():
            if _changed(draft) < before:
                draft.unlink(missing_ok=True)
        for folder in (self._root / "uploads").iterdir():
            if max(_changed(folder / "data"), _changed(folder / "parts")) < before:
                shutil.rmtree(folder, ignore_errors=True)


def _check_parts(upload: Upload, parts: Sequence[tuple[int, str]], on_disk: Mapping[int, str]) -> None:
    if sorted(number for number, _ in parts) != list(range(1, upload.part_count + 1)):
        raise InvalidInput(f"Name each of the parts 1 to {upload.part_count} exactly once.", ["parts"])
    for number, etag in parts:
        if number not in on_disk:
            raise InvalidInput(f"Part {number} has not arrived yet.", ["parts"])
        if etag.strip('"') != on_disk[number].strip('"'):
            raise InvalidInput(f"Part {number} arrived with another etag. Send it again.", ["parts"])


def _link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target)


def _read(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextmanager
def _missing_is_typed() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound("This object does not exist any more.") from None
