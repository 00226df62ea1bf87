"""Parts of an upload on their way to disk: counted, hashed, flushed, and only then marked as received."""

import base64
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from db.durable import in_thread, place, typed_disk_errors
from db.errors import Conflict, InvalidInput, NotFound, TooLarge
from db.links import PartTicket

BLOCK_BYTES = 1024 * 1024
GONE = "There is no such upload, or it was completed or cancelled."


async def receive_part(
    folder: Path, ticket: PartTicket, chunks: AsyncIterator[bytes], checksum: str | None
) -> str:
    """Writes one part at its offset in the upload's data file; its etag (sha256, hex, quoted).

    `checksum` is the part's sha256 in base64, as the uploader sent it. Raises TooLarge as soon as a byte
    too many is seen, InvalidInput for too few or other bytes, Conflict, NotFound, InsufficientStorage.
    """
    expected = _declared(ticket, checksum)
    with open_data(folder) as data, _only_writer(folder, ticket.number):
        _marker(folder, ticket.number).unlink(missing_ok=True)
        with typed_disk_errors():
            digest = await _write(data, ticket, chunks)
            if expected - {digest}:
                raise InvalidInput("The bytes of this part do not match its checksum. Send it again.")
            await in_thread(_flush_and_mark, data, folder, ticket.number, digest)
    return f'"{digest}"'


def received(folder: Path) -> dict[int, str]:
    """The etag (quoted) of each part that is safely on disk, by number."""
    return {int(marker.stem): f'"{marker.read_text()}"' for marker in (folder / "parts").glob("*.etag")}


@contextmanager
def open_data(folder: Path, lock: int = fcntl.LOCK_SH) -> Iterator[int]:
    """The descriptor of an upload's data file: shared by writers of parts, exclusive for completion.

    NotFound if the upload is over, Conflict if somebody holds it the other way.
    """
    path = folder / "data"
    try:
        data = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        raise NotFound(GONE) from None
    try:
        _lock(data, lock, "A part of this upload is still being written, or it is being completed.")
        # Between opening and locking, completion may have moved the file to its final name.
        if not path.exists():
            raise NotFound(GONE)
        yield data
    finally:
        os.close(data)


def _declared(ticket: PartTicket, checksum: str | None) -> set[str]:
    """Every sha256 (hex) the part must have: from the link, from the header."""
    if checksum is None:
        if ticket.sha256:
            raise InvalidInput("This link needs the header x-amz-checksum-sha256.")
        return set()
    try:
        sent = base64.b64decode(checksum, validate=True).hex()
    except ValueError:
        raise InvalidInput("The header x-amz-checksum-sha256 is not base64.") from None
    return {sent, ticket.sha256 or sent}


async def _write(data: int, ticket: PartTicket, chunks: AsyncIterator[bytes]) -> str:
    """Streams the part to its place; its sha256 in hex."""
    digest = hashlib.sha256()
    end = ticket.offset_bytes
    async with aclosing(_blocks(ticket, chunks)) as blocks:
        async for block in blocks:
            await in_thread(_write_block, data, block, end)
            await in_thread(digest.update, block)
            end += len(block)
    return digest.hexdigest()


async def _blocks(ticket: PartTicket, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytearray]:
    """The part in blocks worth a thread each; ends at the first byte too many, or complains of too few."""
    left = ticket.size_bytes
    block = bytearray()
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise TooLarge(f"Part {ticket.number} has {ticket.size_bytes} bytes; more were sent.")
        block += chunk
        if len(block) >= BLOCK_BYTES:
            yield block
            block = bytearray()
    if left:
        raise InvalidInput(f"Part {ticket.number} has {ticket.size_bytes} bytes; {left} are missing.")
    yield block


def _write_block(data: int, block: bytearray, offset: int) -> None:
    rest = memoryview(block)
    while rest:
        written = os.pwrite(data, rest, offset)
        rest, offset = rest[written:], offset + written


def _flush_and_mark(data: int, folder: Path, number: int, digest: str) -> None:
    os.fdatasync(data)
    marker = _marker(folder, number)
    draft = marker.with_suffix(".draft")
    try:
        draft.write_text(digest)
        place(draft, marker)
    except FileNotFoundError:
        raise NotFound(GONE) from None


def _marker(folder: Path, number: int) -> Path:
    return folder / "parts" / f"{number}.etag"


@contextmanager
def _only_writer(folder: Path, number: int) -> Iterator[None]:
    try:
        lock = os.open(folder / "parts" / f"{number}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise NotFound(GONE) from None
    try:
        _lock(lock, fcntl.LOCK_EX, f"Part {number} is being written by another request.")
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int, kind: int, refusal: str) -> None:
    # The kernel lets go of it with the descriptor, also when the process is killed.
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(refusal) from None
