"""Watching a whole workspace: `events` brings everything of one's own, of chosen types, resumable."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.support import media
from tests.support.client import Client
from tests.support.running import Running

pytestmark = pytest.mark.story

EVENTS = """
subscription($after: String, $types: [String!]) {
  events(after: $after, types: $types) {
    kind cursor event { type mediaId runId ... on MediaProcessed { status } ... on TagsAdded { names } }
  }
}"""


async def stream(client: Client, **variables: Any) -> AsyncGenerator[dict[str, Any], None]:
    """The updates of one subscription."""
    address = client.url.replace("http", "ws", 1) + "/graphql"
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(address, subprotocols=[protocol]) as socket:
        token = {"Authorization": f"Bearer {client.token}"} if client.token else {}
        await socket.send(json.dumps({"type": "connection_init", "payload": token}))
        await socket.recv()
        payload = {"query": EVENTS, "variables": variables}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        async for frame in socket:
            message = json.loads(frame)
            assert message["type"] == "next", message
            yield message["payload"]["data"]["events"]


async def until_processed(updates: AsyncGenerator[dict[str, Any], None]) -> list[dict[str, Any]]:
    """Updates up to the end of an analysis, without heartbeats."""
    seen = []
    async with asyncio.timeout(60), aclosing(updates):
        async for update in updates:
            if update["kind"] != "HEARTBEAT":
                seen.append(update)
            if update["event"] and update["event"]["type"] == "video.processed":
                break
    return seen


async def bring(client: Client, file: Path) -> str:
    """Uploads a file; its media id."""
    upload = await client.create_upload(file)
    await client.complete(upload)
    return upload.media_id


async def test_a_workspace_hears_of_its_own_items_only(ada: Client, bob: Client, tmp_path: Path) -> None:
    """D8."""
    file = media.video(tmp_path)
    updates = stream(ada)
    assert (await anext(updates))["kind"] == "SNAPSHOT"
    await bring(bob, file)
    mine = await bring(ada, file)
    seen = await until_processed(updates)
    assert {update["event"]["mediaId"] for update in seen} == {mine}
    assert seen[-1]["event"]["status"] in ("ANALYZED", "PARTIALLY_ANALYZED")


async def test_types_choose_and_a_cursor_resumes(ada: Client, tmp_path: Path) -> None:
    updates = stream(ada, types=["video.uploaded", "video.processed"])
    snapshot = await anext(updates)
    await bring(ada, media.video(tmp_path))
    seen = await until_processed(updates)
    assert [update["event"]["type"] for update in seen] == ["video.uploaded", "video.processed"]
    again = await until_processed(stream(ada, after=snapshot["cursor"], types=["video.processed"]))
    assert [update["cursor"] for update in again] == [seen[-1]["cursor"]]


async def test_an_admin_hears_of_everything(system: Running, ada: Client, tmp_path: Path) -> None:
    login = json.loads((system.home / "admin.json").read_text())
    admin = Client(system.url)
    answer = await admin.ask(
        "mutation($input: LoginInput!) { login(input: $input) { session { accessToken } } }", input=login
    )
    admin.token = answer["login"]["session"]["accessToken"]
    updates = stream(admin, types=["video.processed"])
    await anext(updates)
    theirs = await bring(ada, media.video(tmp_path))
    seen = await until_processed(updates)
    assert seen[-1]["event"]["mediaId"] == theirs
    await admin.close()


async def test_nobody_watches_without_a_login(system: Running) -> None:
    with pytest.raises(AssertionError, match="UNAUTHENTICATED"):
        await anext(stream(Client(system.url)))
