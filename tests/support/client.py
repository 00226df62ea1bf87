"""A client as partners write one: HTTP for questions, one socket to watch, and patience."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import websockets

REGISTER = """
mutation($input: RegisterInput!) {
  register(input: $input) { session { accessToken } errors { code message } }
}"""
CREATE = """
mutation($input: CreateUploadInput!) {
  createUpload(input: $input) {
    upload { id media { id } parts { number method url headers { name value } offsetBytes sizeBytes } }
    errors { code message path }
  }
}"""
COMPLETE = """
mutation($input: CompleteUploadInput!) {
  completeUpload(input: $input) { media { id status } run { id number status } errors { code message path } }
}"""
PIPELINE = """
subscription($mediaId: ID!, $after: String) {
  pipeline(mediaId: $mediaId, after: $after) {
    kind cursor at
    media { id status }
    run { id status }
    stage { name status attempt progress engine reason }
    event { type cursor ... on AnalysisProgress { stage done total } ... on StageFinished { stage status } }
  }
}"""
AWAY = (httpx2.TransportError, OSError, websockets.WebSocketException)


@dataclass(slots=True)
class Upload:
    """An upload that was created, and the file it is of."""

    id: str
    media_id: str
    parts: list[dict[str, Any]]
    data: bytes


class Client:
    """One user; every question is repeated while the server is away, up to `patience` seconds."""

    def __init__(self, url: str, token: str | None = None, patience: float = 40.0) -> None:
        self.url = url
        self.token = token
        self.patience = patience
        self.http = httpx2.AsyncClient(base_url=url, timeout=20)

    @classmethod
    async def registered(cls, url: str) -> "Client":
        """A new user, logged in."""
        client = cls(url)
        person = {"email": f"{uuid4().hex}@example.org", "password": "correct horse", "name": "Ada"}
        answer = await client.ask(REGISTER, input=person)
        client.token = answer["register"]["session"]["accessToken"]
        return client

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.answer(document, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, asked for again while the server or a part of it is away."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        async with asyncio.timeout(self.patience):
            while True:
                try:
                    response = await self.http.post("/graphql", json=body, headers=headers)
                    answer: dict[str, Any] = response.json()
                    if not unavailable(answer):
                        return answer
                except AWAY:
                    pass
                await asyncio.sleep(0.1)

    async def stages_for(self, kind: str) -> set[str]:
        """The stages that an item of this kind goes through."""
        stages = (await self.ask("{ stages { name mediaKinds } }"))["stages"]
        return {stage["name"] for stage in stages if kind in stage["mediaKinds"]}

    async def create_upload(self, file: Path, content_type: str = "video/mp4", **more: Any) -> Upload:
        """Announces a file."""
        data = file.read_bytes()
        about = {
            "filename": file.name,
            "contentType": content_type,
            "sizeBytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        made = (await self.ask(CREATE, input=about | more))["createUpload"]
        assert made["errors"] == [], made["errors"]
        upload = made["upload"]
        return Upload(upload["id"], upload["media"]["id"], upload["parts"], data)

    async def put(self, part: dict[str, Any], data: bytes) -> httpx2.Response:
        """Sends one part as the server asked for it."""
        headers = {header["name"]: header["value"] for header in part["headers"]}
        return await self.http.request(part["method"], part["url"], content=data, headers=headers)

    async def complete(self, upload: Upload) -> dict[str, Any]:
        """Sends every part and completes the upload."""
        parts = []
        for part in upload.parts:
            start = part["offsetBytes"]
            response = await self.put(part, upload.data[start : start + part["sizeBytes"]])
            assert response.status_code == 200, response.text
            parts.append({"number": part["number"], "etag": response.headers["etag"]})
        done: dict[str, Any] = (await self.ask(COMPLETE, input={"uploadId": upload.id, "parts": parts}))[
            "completeUpload"
        ]
        return done

    async def watch(
        self, media_id: str, after: str | None = None, *, resume: bool = True
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Every update of a pipeline; after a break it goes on behind the last cursor."""
        while True:
            try:
                async with aclosing(self._updates(media_id, after)) as updates:
                    async for update in updates:
                        after = update["cursor"]
                        yield update
            except AWAY:
                if not resume:
                    raise
            await asyncio.sleep(0.1)

    async def _updates(self, media_id: str, after: str | None) -> AsyncGenerator[dict[str, Any], None]:
        address = self.url.replace("http", "ws", 1) + "/graphql"
        protocol = websockets.Subprotocol("graphql-transport-ws")
        async with websockets.connect(address, subprotocols=[protocol]) as socket:
            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}})
            )
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            payload = {"query": PIPELINE, "variables": {"mediaId": media_id, "after": after}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            async for frame in socket:
                message = json.loads(frame)
                if message["type"] == "ping":
                    await socket.send('{"type":"pong"}')
                elif message["type"] != "next":
                    assert unavailable({"errors": message.get("payload")}), message
                    return
                else:
                    assert "errors" not in message["payload"], message
                    yield message["payload"]["data"]["pipeline"]

    async def watch_to_end(self, media_id: str, after: str | None = None) -> list[dict[str, Any]]:
        """All updates up to the one that says that the item is processed."""
        seen = []
        async with aclosing(self.watch(media_id, after)) as updates:
            async for update in updates:
                seen.append(update)
                if update["event"] and update["event"]["type"] == "video.processed":
                    break
        return seen

    async def close(self) -> None:
        """Closes its connections."""
        await self.http.aclose()


def unavailable(answer: dict[str, Any]) -> bool:
    """Whether an answer says that a part of the system is away for now."""
    errors = answer.get("errors") or []
    return any(error.get("extensions", {}).get("code") == "UNAVAILABLE" for error in errors)
