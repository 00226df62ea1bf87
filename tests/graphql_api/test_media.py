"""File bytes over HTTP: what a link allows, in ranges and in parts, with flat memory."""

import asyncio
import base64
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from db.local_store import LocalStore
from db.objects import Upload
from graphql_api import media
from tests.support.endpoint import serving

CONTENT = bytes(range(256)) * 40
SOON = datetime.now(UTC) + timedelta(hours=1)


class Shop:
    """A store, and a client of the server in front of it."""

    def __init__(self, root: Path, client: httpx2.AsyncClient, address: str) -> None:
        self.store = LocalStore(root, master_key=b"k" * 32, base_url=f"http://{address}")
        self.client = client
        self.address = address

    async def keep(self, key: str, data: bytes = CONTENT) -> str:
        """Stores an object; its link."""
        path = self.store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.store.read_url(key)

    async def open(self, size: int = 10) -> Upload:
        """Begins an upload in one part."""
        return await self.store.open_upload("upload_1", size, 2**30)


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[tuple[Starlette, httpx2.AsyncClient, str]]:
    app = Starlette()
    async with serving(app) as address, httpx2.AsyncClient() as client:
        yield app, client, address


@pytest.fixture
def shop(server: tuple[Starlette, httpx2.AsyncClient, str], tmp_path: Path) -> Shop:
    app, client, address = server
    shop = Shop(tmp_path, client, address)
    app.router.routes[:] = media.routes(shop.store)
    return shop


def code(response: httpx2.Response) -> str:
    name: str = response.json()["errors"][0]["extensions"]["code"]
    return name


# --- reading ---


async def test_a_link_gives_the_whole_object(shop: Shop) -> None:
    response = await shop.client.get(await shop.keep("runs/1/clip.mp4"))
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"] == 'inline; filename="clip.mp4"'
    directives = response.headers["cache-control"].split(", ")
    assert (directives[0], directives[2]) == ("private", "immutable")
    assert 3600 <= int(directives[1].removeprefix("max-age=")) <= 7200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=10000-", 10000, 10239),
        ("bytes=-5", 10235, 10239),
    ],
)
async def test_a_range_gives_just_that(shop: Shop, asked: str, first: int, last: int) -> None:
    response = await shop.client.get(await shop.keep("a.mp4"), headers={"range": asked})
    assert (response.status_code, response.content) == (206, CONTENT[first : last + 1])
    assert response.headers["content-range"] == f"bytes {first}-{last}/10240"


async def test_a_range_beyond_the_end_is_416(shop: Shop) -> None:
    response = await shop.client.get(await shop.keep("a.mp4"), headers={"range": "bytes=10240-"})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */10240")


async def test_a_head_tells_the_size_without_the_bytes(shop: Shop) -> None:
    response = await shop.client.head(await shop.keep("a.mp4"))
    assert (response.status_code, response.headers["content-length"], response.content) == (200, "10240", b"")


async def test_what_is_known_is_not_sent_again(shop: Shop) -> None:
    url = await shop.keep("a.mp4")
    etag = (await shop.client.get(url)).headers["etag"]
    again = await shop.client.get(url, headers={"if-none-match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    partial = await shop.client.get(url, headers={"range": "bytes=0-3", "if-range": etag})
    assert partial.status_code == 206
    changed = await shop.client.get(url, headers={"range": "bytes=0-3", "if-range": '"other"'})
    assert changed.status_code == 200


async def test_media_without_a_suffix_is_known_by_its_bytes(shop: Shop) -> None:
    image = await shop.client.get(await shop.keep("a/original", b"\x89PNG\r\n\x1a\n" + CONTENT))
    assert image.headers["content-type"] == "image/png"
    assert image.headers["content-disposition"].startswith("inline")


async def test_what_a_browser_could_run_is_only_ever_a_download(shop: Shop) -> None:
    response = await shop.client.get(await shop.keep("a/original", b"<html><script>alert(1)</script>"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="original"'
    assert "sandbox" in response.headers["content-security-policy"]


async def test_a_forged_link_is_403(shop: Shop) -> None:
    url = await shop.keep("a.mp4")
    forged = [url[:-1] + ("0" if url[-1] != "0" else "1"), url.split("?")[0], url.replace("a.mp4", "b.mp4")]
    for link in [*forged, url.replace("a.mp4", "..%2f..%2fetc%2fpasswd")]:
        response = await shop.client.get(link)
        assert (response.status_code, code(response)) == (403, "FORBIDDEN")
        assert response.headers["cache-control"] == "no-store"


async def test_an_expired_link_is_403_and_says_so(shop: Shop) -> None:
    await shop.keep("a.mp4")
    response = await shop.client.get(shop.store.read_url("a.mp4", time.time() - 7200))
    assert (response.status_code, code(response)) == (403, "EXPIRED")


async def test_an_object_that_is_gone_is_404(shop: Shop) -> None:
    response = await shop.client.get(shop.store.read_url("a.mp4"))
    assert (response.status_code, code(response)) == (404, "NOT_FOUND")


# --- writing ---


async def test_a_part_is_taken_and_its_etag_returned(shop: Shop) -> None:
    upload = await shop.open()
    response = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=b"0123456789")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["etag"] == f'"{hashlib.sha256(b"0123456789").hexdigest()}"'
    await shop.store.complete(upload, [(1, response.headers["etag"])], "media/1")
    assert (await shop.client.get(shop.store.read_url("media/1"))).content == b"0123456789"


@pytest.mark.parametrize(
    ("data", "headers", "status", "name"),
    [
        (b"0123456789+", {}, 413, "TOO_LARGE"),
        (b"012345678", {}, 400, "INVALID_INPUT"),
        (b"0123456789", {"x-amz-checksum-sha256": "AAAA"}, 400, "INVALID_INPUT"),
        (b"0123456789", {"x-amz-checksum-sha256": "!"}, 400, "INVALID_INPUT"),
    ],
)
async def test_a_part_that_does_not_fit_is_refused(
    shop: Shop, data: bytes, headers: dict[str, str], status: int, name: str
) -> None:
    upload = await shop.open()
    response = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=data, headers=headers)
    assert (response.status_code, code(response)) == (status, name)
    assert await shop.store.received_parts(upload) == {}


async def test_a_part_without_a_length_is_411(shop: Shop) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"0123456789"

    upload = await shop.open()
    response = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=chunks())
    assert (response.status_code, code(response)) == (411, "INVALID_INPUT")


async def test_a_part_with_its_checksum_is_taken(shop: Shop) -> None:
    upload = await shop.open()
    digest = hashlib.sha256(b"0123456789")
    url = shop.store.part_url(upload, 1, SOON, digest.hexdigest())
    refused = await shop.client.put(url, content=b"0123456789")
    assert refused.status_code == 400
    checksum = base64.b64encode(digest.digest()).decode()
    taken = await shop.client.put(url, content=b"0123456789", headers={"x-amz-checksum-sha256": checksum})
    assert taken.status_code == 200


async def test_a_forged_part_link_is_403(shop: Shop) -> None:
    upload = await shop.open()
    url = shop.store.part_url(upload, 1, SOON)
    for forged in (url.replace("n=10", "n=11"), url.replace("/1?", "/2?"), url.split("&s=")[0]):
        response = await shop.client.put(forged, content=b"0123456789+")
        assert (response.status_code, code(response)) == (403, "FORBIDDEN")


async def test_an_expired_part_link_is_403_and_says_so(shop: Shop) -> None:
    upload = await shop.open()
    url = shop.store.part_url(upload, 1, datetime.now(UTC) - timedelta(seconds=1))
    response = await shop.client.put(url, content=b"0123456789")
    assert (response.status_code, code(response)) == (403, "EXPIRED")


async def test_an_upload_that_is_over_is_404(shop: Shop) -> None:
    upload = await shop.open()
    await shop.store.abort(upload)
    response = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=b"0123456789")
    assert (response.status_code, code(response)) == (404, "NOT_FOUND")


async def test_a_full_disk_is_507(shop: Shop, tmp_path: Path) -> None:
    upload = await shop.open()
    data = tmp_path / "uploads" / "upload_1" / "data"
    data.unlink()
    data.symlink_to("/dev/full")
    response = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=b"0123456789")
    assert (response.status_code, code(response)) == (507, "INSUFFICIENT_STORAGE")


async def begin_part(shop: Shop, upload: Upload) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A PUT that sends half of its bytes."""
    host, port = shop.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    target = shop.store.part_url(upload, 1, SOON).removeprefix(f"http://{shop.address}")
    head = (
        f"PUT {target} HTTP/1.1\r\nHost: {shop.address}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    assert b"100" in await reader.readline()
    writer.write(b"01234")
    await writer.drain()
    return reader, writer


async def test_an_uploader_that_leaves_frees_its_part(shop: Shop) -> None:
    upload = await shop.open()
    _, writer = await begin_part(shop, upload)
    writer.transport.abort()
    url = shop.store.part_url(upload, 1, SOON)
    async with asyncio.timeout(5):
        while (await shop.client.put(url, content=b"0123456789")).status_code == 409:
            pass
    assert list(await shop.store.received_parts(upload)) == [1]


async def test_an_uploader_that_falls_silent_frees_its_part(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "IDLE_SECONDS", 0.2)
    upload = await shop.open()
    reader, writer = await begin_part(shop, upload)
    async with asyncio.timeout(5):
        while not (line := await reader.readline()).startswith(b"HTTP/1.1 4"):
            assert line
    assert line.split()[1] == b"408"
    writer.close()
    retry = await shop.client.put(shop.store.part_url(upload, 1, SOON), content=b"0123456789")
    assert retry.status_code == 200


# --- memory ---

SERVER = """
import sys, uvicorn
from pathlib import Path
from starlette.applications import Starlette
from db.local_store import LocalStore
from graphql_api import media
store = LocalStore(Path(sys.argv[1]), master_key=b"k" * 32, base_url="")
app = Starlette(routes=media.routes(store))
uvicorn.run(app, fd=int(sys.argv[2]), log_level="warning", lifespan="off")
"""
BIG = 256 * 1024**2


def peak_memory(process: "subprocess.Popen[bytes]") -> int:
    """The most memory that a process ever held, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The media routes in a process of their own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", SERVER, str(tmp_path), str(listening.fileno())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", process
    process.terminate()
    process.wait()


async def test_memory_stays_flat_for_files_of_any_size(
    other_server: tuple[str, "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    base, process = other_server
    block = os.urandom(1024**2)

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(BIG // len(block)):
            yield block

    store = LocalStore(tmp_path, master_key=b"k" * 32, base_url=base)
    upload = await store.open_upload("upload_1", BIG, BIG)
    async with httpx2.AsyncClient(timeout=60) as client:
        assert (await client.get(f"{base}/media/x")).status_code == 403
        before = peak_memory(process)
        sent = await client.put(
            store.part_url(upload, 1, SOON), content=blocks(), headers={"content-length": str(BIG)}
        )
        assert sent.status_code == 200, sent.text
        await store.complete(upload, [(1, sent.headers["etag"])], "media/big")
        size = 0
        async with client.stream("GET", store.read_url("media/big")) as response:
            async for chunk in response.aiter_raw():
                size += len(chunk)
        assert size == BIG
        grown = peak_memory(process) - before
        assert grown < 16 * 1024**2, f"grew by {grown} bytes"
