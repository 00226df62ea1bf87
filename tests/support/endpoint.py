"""A real server for the edge's own tests: a small schema behind our endpoint, on a port of this machine."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import strawberry
import uvicorn
from starlette.types import ASGIApp
from strawberry.types import Info
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from db.connection import Viewer
from db.errors import NotFound, Unauthenticated
from graphql_api.auth import Claims, TokenExpired
from graphql_api.service import RequestInfo
from resolvers.live import SlowConsumer

VIEWER = Viewer(UUID(int=1), UUID(int=2), "USER")
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class Notes:
    """What a test may ask of the server's inside: the contexts that were opened, the streams that ended."""

    infos: list[RequestInfo] = field(default_factory=list)
    opened: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    closed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    expires_at: datetime = FAR

    def forget(self) -> None:
        """Begins anew, for the next test; what still ends of the last one is not heard any more."""
        self.infos, self.opened, self.closed, self.expires_at = [], asyncio.Queue(), asyncio.Queue(), FAR

    def open_context(self, info: RequestInfo) -> "TestContext":
        """One context per operation, numbered."""
        self.infos.append(info)
        return TestContext(info, len(self.infos), self.opened, self.closed)

    async def authenticate(self, token: str | None) -> Claims | None:
        """`good` is the viewer, `old` expired, `away` finds no database, `bug` fails; else it is forged."""
        if token is None:
            return None
        if token == "good":
            return Claims(VIEWER, 1, self.expires_at)
        if token == "old":
            raise TokenExpired("Your session has expired.")
        if token == "away":
            raise ConnectionRefusedError("secret dsn")
        if token == "bug":
            raise RuntimeError("secret dsn")
        raise Unauthenticated("This access token is not valid.")


@dataclass
class TestContext:
    """The context of one operation."""

    __test__ = False

    info: RequestInfo
    number: int
    opened: asyncio.Queue[str]
    closed: asyncio.Queue[str]


@strawberry.type
class Node:
    """A type that contains itself, for documents as deep as one likes."""

    @strawberry.field
    def node(self) -> "Node":
        return Node()

    @strawberry.field
    def name(self) -> str:
        return "n"


@strawberry.type
class Query:
    node: Node = strawberry.field(resolver=Node)

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def viewer(self, info: Info[TestContext, None]) -> str | None:
        viewer = info.context.info.viewer
        return str(viewer.user_id) if viewer else None

    @strawberry.field
    def operation(self, info: Info[TestContext, None]) -> int:
        return info.context.number

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret dsn")

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound("There is no such video.", ["id"])

    @strawberry.field
    def away(self) -> str | None:
        raise ConnectionRefusedError("secret dsn")

    @strawberry.field
    def lying(self) -> int | None:
        return "secret number"  # type: ignore[return-value]

    @strawberry.field
    def unwritable(self) -> strawberry.scalars.JSON:
        return strawberry.scalars.JSON({"inside": object()})

    @strawberry.field
    def count(self, to: int) -> int:
        return to


@strawberry.type
class Mutation:
    @strawberry.mutation
    def shout(self, word: str) -> str:
        return word.upper()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def ticks(self, info: Info[TestContext, None], name: str = "ticks") -> AsyncGenerator[int]:
        """Begins at once, then waits for ever; tells when it has ended."""
        try:
            info.context.opened.put_nowait(name)
            yield 0
            await asyncio.Event().wait()
        finally:
            info.context.closed.put_nowait(name)

    @strawberry.subscription
    async def flood(self, info: Info[TestContext, None]) -> AsyncGenerator[str]:
        """More than any socket's buffers hold."""
        try:
            while True:
                yield "x" * 100_000
        finally:
            info.context.closed.put_nowait("flood")

    @strawberry.subscription
    async def failing(self, how: str) -> AsyncGenerator[int]:
        """Yields once, then fails."""
        yield 0
        raise {
            "broken": RuntimeError("secret dsn"),
            "missing": NotFound("It was deleted."),
            "slow": SlowConsumer(),
        }[how]

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int]:
        raise NotFound("There is no such video.")
        yield 0

    @strawberry.subscription
    async def nodes(self) -> AsyncGenerator[Node | None]:
        yield Node()


def schema() -> strawberry.Schema:
    """The schema above."""
    return strawberry.Schema(Query, Mutation, Subscription)


@asynccontextmanager
async def serving(app: ASGIApp, **config: Any) -> AsyncIterator[str]:
    """Runs `app` as in production; its address, `127.0.0.1:port`. Connections wait until it is up."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            **{
                "lifespan": "off",
                "log_config": None,
                "access_log": False,
                "ws": "websockets-sansio",
                "ws_per_message_deflate": False,
                "ws_max_size": 64 * 1024,
                "timeout_graceful_shutdown": 5,
                **config,
            },
        )
    )
    running = asyncio.create_task(server.serve([listening]))
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()


class Client:
    """A raw `graphql-transport-ws` client: it sends what it is told, right or wrong."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        """Sends one message; text and bytes go out as they are."""
        raw = message if isinstance(message, (str, bytes)) else orjson.dumps(message).decode()
        await self.connection.send(raw)

    async def receive(self) -> Any:
        """The next message."""
        async with asyncio.timeout(5):
            text = await self.connection.recv()
        assert isinstance(text, str), "messages are text frames"
        return orjson.loads(text)

    async def ask(self, message: object) -> Any:
        """Sends one message; the next that comes."""
        await self.send(message)
        return await self.receive()

    async def init(self, **payload: Any) -> Any:
        """Opens the connection within the socket; the server's answer."""
        return await self.ask({"type": "connection_init", "payload": payload})

    async def subscribe(self, query: str, identity: str = "1", **rest: Any) -> None:
        """Begins an operation."""
        await self.send({"id": identity, "type": "subscribe", "payload": {"query": query, **rest}})

    async def closed(self) -> tuple[int, str]:
        """Waits until the server closes the socket; its code and reason. Messages before are dropped."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(5):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def socket_to(
    address: str, protocol: str | None = "graphql-transport-ws", **options: Any
) -> AsyncIterator[Client]:
    """A WebSocket to the endpoint at `address`."""
    protocols = [Subprotocol(protocol)] if protocol else None
    async with connect(f"ws://{address}/graphql", subprotocols=protocols, **options) as connection:
        yield Client(connection)
