"""The local store: objects are whole or absent, uploads grow in parts and are moved into place."""

import asyncio
import base64
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from db.errors import (
    Conflict,
    Expired,
    Forbidden,
    InsufficientStorage,
    InvalidInput,
    NotFound,
    TooLarge,
)
from db.links import PartTicket
from db.local_store import LocalStore
from db.objects import ObjectStore, Upload

SOON = datetime.now(UTC) + timedelta(hours=1)
CONTENT = os.urandom(2_500_000)
PART = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects", master_key=b"k" * 32, base_url="http://vidura.test/")


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def ticket(store: LocalStore, url: str) -> PartTicket:
    parts = urlsplit(url)
    _, _, upload_id, number = parts.path.split("/")
    return store.check_part(upload_id, number, dict(parse_qsl(parts.query, keep_blank_values=True)))


def piece(upload: Upload, number: int) -> bytes:
    return CONTENT[upload.offset(number) :][: upload.size(number)]


async def send(store: LocalStore, upload: Upload, number: int) -> str:
    allowed = ticket(store, store.part_url(upload, number, SOON))
    data = piece(upload, number)
    return await store.write_part(allowed, body(data[:70_000], data[70_000:]), None)


def files(store: LocalStore, tmp_path: Path) -> list[str]:
    root = tmp_path / "objects"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


# --- objects ---


async def test_an_object_is_kept_read_and_removed(store: LocalStore, tmp_path: Path) -> None:
    kept: ObjectStore = store
    await kept.put_bytes("a/b.txt", b"0123456789", "text/plain")
    assert await kept.get_bytes("a/b.txt") == b"0123456789"
    assert await kept.read("a/b.txt", 3, 4) == b"3456"
    assert await kept.read("a/b.txt", 8, 40) == b"89"
    assert (await kept.size("a/b.txt"), await kept.exists("a/b.txt")) == (10, True)
    await kept.delete("a/b.txt")
    await kept.delete("a/b.txt")
    assert not await kept.exists("a/b.txt")
    assert files(store, tmp_path) == []


async def test_a_missing_object_is_not_found(store: LocalStore, tmp_path: Path) -> None:
    for asked in (store.get_bytes("x"), store.read("x", 0, 1), store.size("x"), store.fetch("x", tmp_path)):
        with pytest.raises(NotFound):
            await asked


async def test_an_object_is_replaced_as_a_whole(store: LocalStore, tmp_path: Path) -> None:
    await store.put_bytes("a.json", b"first", "application/json")
    with store.path("a.json").open("rb") as reader:
        await store.put_bytes("a.json", b"second", "application/json")
        assert reader.read() == b"first"
    assert await store.get_bytes("a.json") == b"second"
    assert files(store, tmp_path) == ["data/a.json"]


async def test_a_suffix_that_lies_is_refused(store: LocalStore) -> None:
    with pytest.raises(ValueError, match="image/jpeg"):
        await store.put_bytes("a.jpg", b"<html>", "text/html")


async def test_a_file_is_kept_and_fetched_without_a_copy(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(CONTENT)
    await store.put_file("clips/1.mp4", source)
    folder = tmp_path / "work"
    folder.mkdir()
    for _ in range(2):
        fetched = await store.fetch("clips/1.mp4", folder)
        assert fetched == folder / "1.mp4"
        assert fetched.samefile(store.path("clips/1.mp4"))
    source.unlink()
    fetched.unlink()
    assert await store.get_bytes("clips/1.mp4") == CONTENT


async def test_a_file_of_another_file_system_is_copied(store: LocalStore, tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as source:
        source.write(b"from afar")
        source.flush()
        await store.put_file("a", Path(source.name))
    assert await store.get_bytes("a") == b"from afar"


async def test_a_failed_write_leaves_nothing_behind(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put_file("a", tmp_path / "missing")
    assert files(store, tmp_path) == []


async def test_a_read_link_is_checked(store: LocalStore) -> None:
    url = urlsplit(store.read_url("a/b.jpg"))
    assert (url.netloc, url.path) == ("vidura.test", "/media/a/b.jpg")
    assert store.check_read("a/b.jpg", dict(parse_qsl(url.query))) > time.time() + 3600
    with pytest.raises(Forbidden):
        store.check_read("a/c.jpg", dict(parse_qsl(url.query)))
    old = urlsplit(store.read_url("a/b.jpg", time.time() - 7200))
    with pytest.raises(Expired):
        store.check_read("a/b.jpg", dict(parse_qsl(old.query)))


# --- uploads ---


async def test_parts_in_any_order_become_one_object(store: LocalStore, tmp_path: Path) -> None:
    upload = await store.open_upload("upload_1", len(CONTENT), PART)
    etags = {number: await send(store, upload, number) for number in (3, 1, 2)}
    assert etags[2] == f'"{hashlib.sha256(piece(upload, 2)).hexdigest()}"'
    assert await store.received_parts(upload) == etags
    await store.complete(upload, sorted(etags.items()), "media/1/original")
    assert await store.get_bytes("media/1/original") == CONTENT
    assert files(store, tmp_path) == ["data/media/1/original"]


async def test_completing_twice_is_the_same_as_once(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    etag = await send(store, upload, 1)
    for _ in range(2):
        await store.complete(upload, [(1, etag)], "media/1/original")
    assert await store.get_bytes("media/1/original") == CONTENT[:10]


async def test_completion_finishes_what_a_killed_one_began(store: LocalStore, tmp_path: Path) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    etag = await send(store, upload, 1)
    store.path("media").mkdir()
    (tmp_path / "objects" / "uploads" / "upload_1" / "data").rename(store.path("media/original"))
    await store.complete(upload, [(1, etag)], "media/original")
    assert files(store, tmp_path) == ["data/media/original"]


async def test_completion_insists_on_every_part_as_it_arrived(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", len(CONTENT), PART)
    etags = [(number, await send(store, upload, number)) for number in (1, 2)]
    wrong = [
        etags,
        [*etags, etags[0]],
        [*etags, (3, etags[0][1])],
        [*etags, (4, "x")],
    ]
    for parts in wrong:
        with pytest.raises(InvalidInput):
            await store.complete(upload, parts, "media/1")
    third = await send(store, upload, 3)
    with pytest.raises(InvalidInput, match="another etag"):
        await store.complete(upload, [*etags, (3, "0" * 64)], "media/1")
    await store.complete(upload, [*etags, (3, third.strip('"'))], "media/1")


async def test_an_upload_that_never_was_is_not_found(store: LocalStore) -> None:
    upload = Upload("upload_1", 10, PART)
    with pytest.raises(NotFound):
        await send(store, upload, 1)
    with pytest.raises(NotFound):
        await store.complete(upload, [(1, "x")], "media/1")
    assert await store.received_parts(upload) == {}


async def test_aborting_throws_everything_away_and_ends_writers(store: LocalStore, tmp_path: Path) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    started, go_on = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(slowly(store, upload, started, go_on))
    await started.wait()
    for _ in range(2):
        await store.abort(upload)
    go_on.set()
    with pytest.raises(NotFound):
        await writing
    assert files(store, tmp_path) == []
    assert list((tmp_path / "objects" / "uploads").iterdir()) == []


async def slowly(store: LocalStore, upload: Upload, started: asyncio.Event, go_on: asyncio.Event) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield CONTENT[:5]
        started.set()
        await go_on.wait()
        yield CONTENT[5:10]

    return await store.write_part(ticket(store, store.part_url(upload, 1, SOON)), chunks(), None)


async def test_a_part_has_one_writer_and_no_completion_meanwhile(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    started, go_on = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(slowly(store, upload, started, go_on))
    await started.wait()
    with pytest.raises(Conflict):
        await send(store, upload, 1)
    with pytest.raises(Conflict):
        await store.complete(upload, [(1, "x")], "media/1")
    go_on.set()
    await store.complete(upload, [(1, await writing)], "media/1")
    assert await store.get_bytes("media/1") == CONTENT[:10]


async def test_a_part_too_long_is_cut_off_at_the_first_byte_too_many(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    sent: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.append(4)
            yield b"...."

    with pytest.raises(TooLarge):
        await store.write_part(ticket(store, store.part_url(upload, 1, SOON)), endless(), None)
    assert len(sent) == 3
    assert await store.received_parts(upload) == {}


async def test_a_part_too_short_is_refused(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    with pytest.raises(InvalidInput, match="1 are missing"):
        await store.write_part(ticket(store, store.part_url(upload, 1, SOON)), body(b"123456789"), None)
    assert await store.received_parts(upload) == {}


async def test_a_failed_second_attempt_takes_back_the_first(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    await send(store, upload, 1)
    with pytest.raises(InvalidInput):
        await store.write_part(ticket(store, store.part_url(upload, 1, SOON)), body(b"123"), None)
    assert await store.received_parts(upload) == {}
    await send(store, upload, 1)
    assert list(await store.received_parts(upload)) == [1]


async def test_the_checksum_that_was_sent_is_verified(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    allowed = ticket(store, store.part_url(upload, 1, SOON))
    right = base64.b64encode(hashlib.sha256(CONTENT[:10]).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for checksum in (wrong, "not base64!", ""):
        with pytest.raises(InvalidInput):
            await store.write_part(allowed, body(CONTENT[:10]), checksum)
    assert await store.received_parts(upload) == {}
    await store.write_part(allowed, body(CONTENT[:10]), right)


async def test_a_checksum_bound_to_the_link_allows_no_other_bytes(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    digest = hashlib.sha256(CONTENT[:10])
    allowed = ticket(store, store.part_url(upload, 1, SOON, digest.hexdigest()))
    other = b"0123456789"
    with pytest.raises(InvalidInput, match="x-amz-checksum-sha256"):
        await store.write_part(allowed, body(CONTENT[:10]), None)
    with pytest.raises(InvalidInput, match="do not match"):
        honest = base64.b64encode(hashlib.sha256(other).digest()).decode()
        await store.write_part(allowed, body(other), honest)
    await store.write_part(allowed, body(CONTENT[:10]), base64.b64encode(digest.digest()).decode())


async def test_a_full_disk_is_a_typed_error(store: LocalStore, tmp_path: Path) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    data = tmp_path / "objects" / "uploads" / "upload_1" / "data"
    data.unlink()
    data.symlink_to("/dev/full")
    with pytest.raises(InsufficientStorage):
        await send(store, upload, 1)
    with pytest.raises(InsufficientStorage):
        await store.open_upload("upload_2", 2**60, 2**50)


async def test_opening_an_upload_again_keeps_what_has_arrived(store: LocalStore) -> None:
    upload = await store.open_upload("upload_1", 10, PART)
    etag = await send(store, upload, 1)
    assert await store.open_upload("upload_1", 10, PART) == upload
    assert await store.received_parts(upload) == {1: etag}


async def test_sweeping_removes_only_what_nobody_finished(store: LocalStore, tmp_path: Path) -> None:
    await store.put_bytes("kept", b"x", "text/plain")
    old = await store.open_upload("upload_old", 10, PART)
    await send(store, old, 1)
    folder = tmp_path / "objects" / "uploads" / "upload_old"
    draft = tmp_path / "objects" / "drafts" / "d"
    draft.touch()
    for path in (folder / "data", folder / "parts", draft):
        os.utime(path, (1, 1))
    await store.open_upload("upload_new", 10, PART)
    await store.sweep(3600)
    assert files(store, tmp_path) == ["data/kept", "uploads/upload_new/data"]
