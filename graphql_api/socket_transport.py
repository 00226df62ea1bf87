"""GraphQL over WebSocket: the `graphql-transport-ws` protocol, many operations side by side on one socket."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from graphql import ExecutionResult, OperationType
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.connection import Viewer
from db.errors import Forbidden, InvalidInput, RateLimited, Unauthenticated
from graphql_api.auth import TokenExpired
from graphql_api.errors import is_away, wire_errors
from graphql_api.operations import GraphQLRequest, response
from graphql_api.service import RequestInfo, Service, bearer, request_id
from resolvers.live import SlowConsumer
from schema.scalars import write_datetime

log = logging.getLogger("vidura.socket")

PROTOCOL = "graphql-transport-ws"
REASON_BYTES = 123


class Closing(Exception):
    """The socket must be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason.encode()[:REASON_BYTES].decode(errors="ignore")


class SocketTransport:
    """One WebSocket: everything it starts is a task of one group, and ends before the socket does."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._options = service.options
        self._socket = WebSocket(scope, receive, send)
        self._group = asyncio.TaskGroup()
        self._initialised = asyncio.Event()
        self._acknowledged = False
        self._viewer: Viewer | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Speaks the protocol until either side closes the socket."""
        if not self._origin_is_allowed():
            refusal = wire_errors(Forbidden("Pages of this origin may not connect."), "")
            await self._socket.send_denial_response(JSONResponse({"errors": refusal}, 403))
            return
        spoken = PROTOCOL in self._socket.scope["subprotocols"]
        await self._socket.accept(PROTOCOL if spoken else None)
        if spoken:
            await self._converse()
        else:
            await self._close(Closing(4406, "Subprotocol not acceptable"))

    async def _converse(self) -> None:
        try:
            async with self._group:
                self._group.create_task(self._expect_init())
                while True:
                    await self._take(await self._read())
        except* Closing as closings:
            await self._close(closings.exceptions[0])
        except* WebSocketDisconnect:
            pass
        except* Exception as errors:
            log.error("a socket failed", exc_info=errors)
            await self._close(Closing(1011, "Something went wrong on our side"))

    def _origin_is_allowed(self) -> bool:
        """Browsers always name the page's origin; whoever names none is no browser."""
        origin = self._socket.headers.get("origin")
        if origin is None or origin in self._options.allowed_origins:
            return True
        return urlsplit(origin).netloc == self._socket.headers.get("host")

    async def _read(self) -> Mapping[str, Any]:
        """The next message; Closing if it is none."""
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received["code"])
        text = received.get("text")
        if text is None:
            raise Closing(4400, "Messages are text frames")
        if len(text.encode()) > self._options.max_frame_bytes:
            raise Closing(1009, f"A message has at most {self._options.max_frame_bytes} bytes")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Closing(4400, "A message is one JSON object") from None
        if not isinstance(message, dict):
            raise Closing(4400, "A message is one JSON object")
        return message

    async def _take(self, message: Mapping[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._init(_payload(message))
            case "ping":
                await self._send({"type": "pong", **_echo(_payload(message))})
            case "pong":
                _payload(message)
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                await self._complete(_identity(message))
            case unknown:
                raise Closing(4400, f"There are no messages of type {unknown!r}")

    async def _expect_init(self) -> None:
        try:
            async with asyncio.timeout(self._options.init_timeout_seconds):
                await self._initialised.wait()
        except TimeoutError:
            raise Closing(4408, "Connection initialisation timeout") from None

    async def _init(self, payload: Mapping[str, Any] | None) -> None:
        if self._initialised.is_set():
            raise Closing(4429, "Too many initialisation requests")
        self._initialised.set()
        expires_at = await self._log_in(payload or {})
        self._acknowledged = True
        if expires_at is None:
            await self._send({"type": "connection_ack"})
        else:
            self._group.create_task(self._expire(expires_at))
            await self._send({"type": "connection_ack", "payload": {"expiresAt": write_datetime(expires_at)}})

    async def _log_in(self, payload: Mapping[str, Any]) -> datetime | None:
        """Sets the viewer from the init payload; the instant their token expires."""
        value = payload.get("Authorization", payload.get("authorization"))
        if value is not None and not isinstance(value, str):
            raise Closing(4400, '"Authorization" is a string')
        try:
            claims = await self._service.authenticate(bearer(value))
        # Clients come back with a fresh token after 4403, and never after 4401.
        except TokenExpired as error:
            raise Closing(4403, error.message) from None
        except Unauthenticated as error:
            raise Closing(4401, error.message) from None
        except Exception as error:
            if not is_away(error):
                raise
            raise Closing(1013, "A service we need is away for a moment") from error
        self._viewer = claims.viewer if claims else None
        return claims.expires_at if claims else None

    async def _expire(self, at: datetime) -> None:
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds())
        raise Closing(4403, "The access token has expired")

    async def _subscribe(self, message: Mapping[str, Any]) -> None:
        if not self._acknowledged:
            raise Closing(4401, "Unauthorized")
        identity = _identity(message)
        try:
            request = GraphQLRequest.parse(message.get("payload"))
        except InvalidInput as error:
            raise Closing(4400, error.message) from None
        if identity in self._operations:
            raise Closing(4409, f"Subscriber for {identity} already exists")
        if len(self._operations) >= self._options.max_subscriptions:
            most = self._options.max_subscriptions
            refusal = RateLimited(f"A socket carries at most {most} operations at a time.")
            await self._send({"id": identity, "type": "error", "payload": wire_errors(refusal, "")})
            return
        self._operations[identity] = self._group.create_task(self._operate(identity, request))

    async def _complete(self, identity: str) -> None:
        """Ends an operation for the client; when this returns its stream is closed."""
        task = self._operations.pop(identity, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _operate(self, identity: str, request: GraphQLRequest) -> None:
        """One operation from its first to its last message; what fails in it ends only itself."""
        correlation = request_id(None)
        last: dict[str, Any] = {"id": identity, "type": "complete"}
        try:
            await self._answer(identity, request, correlation)
        except (Closing, WebSocketDisconnect):
            raise
        except SlowConsumer:
            raise Closing(1013, "Too slow: connect again and resume by cursor") from None
        except Exception as error:
            last = {"id": identity, "type": "error", "payload": wire_errors(error, correlation)}
        # From the last message on the client may use the id again.
        self._operations.pop(identity, None)
        await self._send(last)

    async def _answer(self, identity: str, request: GraphQLRequest, correlation: str) -> None:
        operations = self._service.operations
        operation = operations.prepare(request)
        address = self._socket.client.host if self._socket.client else ""
        info = RequestInfo(self._viewer, correlation, address, "websocket", request.extensions)
        context = self._service.open_context(info)
        if operation.kind is not OperationType.SUBSCRIPTION:
            await self._next(identity, await operations.execute(operation, context), correlation)
            return
        async with aclosing(await operations.subscribe(operation, context)) as results:
            async for result in results:
                await self._next(identity, result, correlation)

    async def _next(self, identity: str, result: ExecutionResult, correlation: str) -> None:
        await self._send({"id": identity, "type": "next", "payload": response(result, correlation)})

    async def _send(self, message: Mapping[str, Any]) -> None:
        """Sends a message; Closing if the client does not take it in time."""
        text = orjson.dumps(message).decode()
        try:
            async with asyncio.timeout(self._options.send_timeout_seconds):
                await self._socket.send_text(text)
        except TimeoutError:
            raise Closing(1013, "Too slow: connect again and resume by cursor") from None

    async def _close(self, closing: BaseException) -> None:
        assert isinstance(closing, Closing)
        # A client that is gone or takes nothing cannot be told; the server then cuts the connection.
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._socket.close(closing.code, closing.reason)


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Closing(4400, '"payload" is an object')
    return payload


def _echo(payload: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if payload is None else {"payload": payload}


def _identity(message: Mapping[str, Any]) -> str:
    identity = message.get("id")
    if not isinstance(identity, str) or not identity:
        raise Closing(4400, '"id" is a string that is not empty')
    return identity
