"""A client of the public API, as anybody could write one: GraphQL over HTTP and WebSocket, parts by PUT."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from graphql_api.demo.answers import LOST, Away, Failed, Json, LoggedOut, Silence, field, json_of, refuse
from graphql_api.demo.documents import COMPLETE, CREATE, LOGIN, PARTS, REGISTER, RESULT, WATCH

CHUNK_BYTES = 256 * 1024
PROTOCOL = Subprotocol("graphql-transport-ws")
LOGIN_NEEDED = (4401, 4403)
QUIET_SECONDS = 30.0
"""A heartbeat comes every ten; a socket that is quiet for longer is dead."""


@dataclass(frozen=True)
class File:
    """A file to upload, and what there is to say about it."""

    path: Path
    title: str | None
    size_bytes: int
    sha256: str
    content_type: str


class Client:
    """One user of one system; says through `tell` when nobody answers, and goes on for a minute."""

    def __init__(self, http: httpx2.AsyncClient, tell: Callable[[str], None]) -> None:
        self._http = http
        self._tell = tell
        self._token = ""
        self._account: Json = {}
        self.used: list[str] = []

    async def enter(self, admin: Path) -> str:
        """Registers a new user; where that begins no session, logs in as the admin of the file `admin`."""
        self._account = {"email": f"demo-{secrets.token_hex(6)}@example.com", "password": secrets.token_hex()}
        try:
            session = (await self.ask(REGISTER, input={**self._account, "name": "Demo"}))["session"]
        except Failed as refusal:
            # Nobody else has this address: we are told for the second time, the first answer was lost.
            if refusal.code != "CONFLICT":
                raise
            session = await self._log_in()
        if session is None:
            if not admin.exists():
                raise Failed(f"Registration is not open here, and there is no login in {admin}.")
            self._account = json.loads(admin.read_text())
            session = await self._log_in()
        self._token = session["accessToken"]
        return str(self._account["email"])

    async def create(self, file: File) -> Json:
        """The upload that a file is to be sent to."""
        asked = {
            "filename": file.path.name,
            "title": file.title,
            "contentType": file.content_type,
            "sizeBytes": file.size_bytes,
            "sha256": file.sha256,
            "idempotencyKey": str(uuid.uuid4()),
        }
        return dict((await self.ask(CREATE, input=asked))["upload"])

    async def send(self, upload: Json, file: File, arrived: Callable[[int], None]) -> list[Json]:
        """Sends every part as its link says, telling `arrived` how many bytes are there; number and etag."""
        etags: list[Json] = []
        while len(etags) < upload["partCount"]:
            page = await self.ask(PARTS, id=upload["id"], after=len(etags))
            etags += [await self._put(part, file.path, arrived) for part in page["parts"]]
        return etags

    async def complete(self, upload: Json, parts: list[Json]) -> Json:
        """The item and its run, from now on at work."""
        return await self.ask(COMPLETE, input={"uploadId": upload["id"], "parts": parts})

    async def result(self, media_id: str) -> Json:
        """Everything known of an item, in one query."""
        return await self.ask(RESULT, id=media_id)

    async def watch(self, media_id: str) -> AsyncGenerator[Json, None]:
        """Every update of an item's pipeline, each exactly once, over as many sockets as it takes."""
        silence = Silence(self._tell)
        cursor: str | None = None
        while True:
            try:
                async with aclosing(self._subscribe(WATCH, mediaId=media_id, after=cursor)) as updates:
                    async for update in updates:
                        silence.ended()
                        cursor = update["cursor"]
                        yield update
                raise Away("the subscription ended")
            except LOST as error:
                await self._bear(silence, error)

    async def ask(self, document: str, **variables: Any) -> Json:
        """What the operation's one field answers; Failed, in the API's own words, if it refuses."""
        self._note(document)
        silence = Silence(self._tell)
        while True:
            try:
                return await self._post(document, variables)
            except LOST as error:
                await self._bear(silence, error)

    async def _bear(self, silence: Silence, error: Exception) -> None:
        await silence.endure(error)
        if isinstance(error, LoggedOut):
            await self._log_in()

    async def _log_in(self) -> Json:
        # A request with a token that has ended is refused whatever it asks.
        self._token = ""
        session = dict((await self.ask(LOGIN, input=self._account))["session"])
        self._token = session["accessToken"]
        return session

    async def _post(self, document: str, variables: Json) -> Json:
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        body = {"query": document, "variables": variables}
        answer = await self._http.post("/graphql", json=body, headers=headers)
        return field(json_of(answer))

    async def _put(self, part: Json, path: Path, arrived: Callable[[int], None]) -> Json:
        """Sends one part; its number and etag."""
        headers = {header["name"]: header["value"] for header in part["headers"]}
        headers["content-length"] = str(part["sizeBytes"])
        silence = Silence(self._tell)
        while True:
            try:
                body = _stretch(path, part["offsetBytes"], part["sizeBytes"], arrived)
                answer = await self._http.request(part["method"], part["url"], content=body, headers=headers)
                if answer.status_code != 200:
                    refuse(json_of(answer)["errors"])
                return {"number": part["number"], "etag": answer.headers["etag"]}
            except LOST as error:
                await self._bear(silence, error)

    async def _subscribe(self, document: str, **variables: Any) -> AsyncGenerator[Json, None]:
        """The updates that come over one socket."""
        self._note(document)
        url = str(self._http.base_url.join("/graphql")).replace("http", "ws", 1)
        # What waits is not limited: while the file is being sent, nobody reads.
        async with connect(
            url, subprotocols=[PROTOCOL], proxy=None, max_queue=None, close_timeout=1
        ) as socket:
            await _write(socket, type="connection_init", payload={"Authorization": f"Bearer {self._token}"})
            try:
                while True:
                    async with asyncio.timeout(QUIET_SECONDS):
                        message = json.loads(await socket.recv())
                    if message["type"] == "connection_ack":
                        asked = {"query": document, "variables": variables}
                        await _write(socket, id="1", type="subscribe", payload=asked)
                    elif message["type"] == "ping":
                        await _write(socket, type="pong")
                    elif message["type"] == "next":
                        yield field(message["payload"])
                    elif message["type"] == "error":
                        refuse(message["payload"])
                    elif message["type"] == "complete":
                        return
            except ConnectionClosed as error:
                if error.rcvd and error.rcvd.code in LOGIN_NEEDED:
                    raise LoggedOut(error.rcvd.reason) from None
                raise

    def _note(self, document: str) -> None:
        if document not in self.used:
            self.used.append(document)


async def _stretch(
    path: Path, offset: int, size: int, arrived: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """`size` bytes of a file from `offset`, in pieces."""
    with path.open("rb") as file:
        file.seek(offset)
        end = offset + size
        while piece := file.read(min(CHUNK_BYTES, end - offset)):
            yield piece
            offset += len(piece)
            arrived(offset)


async def _write(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))
