"""File bytes: signed byte ranges out of the local store, and parts of uploads into it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from db.content_types import HEAD_BYTES, OCTETS, by_suffix, sniff
from db.durable import in_thread
from db.errors import InvalidInput, TooLarge
from db.links import PartTicket
from db.local_store import LocalStore
from graphql_api.errors import STATUS, NotThisWay, wire_errors
from graphql_api.service import request_id

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

IDLE_SECONDS = 30.0
"""An uploader that sends nothing for so long is gone: its part is free for another attempt."""

SAFETY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
    ),
}


class _Bytes(FileResponse):
    chunk_size = 256 * 1024


def routes(store: LocalStore) -> list[BaseRoute]:
    """What the links of `store` lead to: `GET /media/<key>` and `PUT /store/<upload>/<number>`."""
    return [
        Route("/media/{key:path}", _typed(partial(_read, store)), methods=["GET"]),
        Route("/store/{upload}/{number}", _typed(partial(_write, store)), methods=["PUT"]),
    ]


async def _read(store: LocalStore, request: Request) -> Response:
    key = request.path_params["key"]
    expires = store.check_read(key, request.query_params)
    head = await store.read(key, 0, HEAD_BYTES)
    content_type = by_suffix(key) or sniff(head) or OCTETS
    path = store.path(key)
    response = _Bytes(
        path,
        headers={**SAFETY, "cache-control": f"private, max-age={expires - int(time.time())}, immutable"},
        media_type=content_type,
        filename=path.name,
        stat_result=await in_thread(path.stat),
        # Nothing that we can name is anything a browser would run.
        content_disposition_type="attachment" if content_type == OCTETS else "inline",
    )
    if response.headers["etag"] in _known(request):
        kept = ("etag", "cache-control", "last-modified")
        return Response(status_code=304, headers={name: response.headers[name] for name in kept})
    return response


async def _write(store: LocalStore, request: Request) -> Response:
    number = request.path_params["number"]
    ticket = store.check_part(request.path_params["upload"], number, request.query_params)
    _check_length(request, ticket)
    checksum = request.headers.get("x-amz-checksum-sha256")
    etag = await store.write_part(ticket, _steady(request.stream()), checksum)
    return Response(status_code=200, headers={"etag": etag})


def _check_length(request: Request, ticket: PartTicket) -> None:
    """Refuses by its header what would be refused by its bytes."""
    announced = request.headers.get("content-length")
    if announced is None:
        raise NotThisWay(411, "Say by Content-Length how long the part is.")
    if int(announced) > ticket.size_bytes:
        raise TooLarge(f"Part {ticket.number} has {ticket.size_bytes} bytes; {announced} were announced.")
    if int(announced) < ticket.size_bytes:
        raise InvalidInput(f"Part {ticket.number} has {ticket.size_bytes} bytes; {announced} were announced.")


async def _steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks as they come, as long as they come."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise NotThisWay(408, f"No bytes came for {IDLE_SECONDS:.0f} seconds.") from None
        if chunk is None:
            return
        yield chunk


def _known(request: Request) -> list[str]:
    """The etags that the client holds already."""
    return [etag.strip() for etag in request.headers.get("if-none-match", "").split(",")]


def _typed(handler: Handler) -> Handler:
    """Answers every failure with a status and a JSON body that names its code."""

    async def answered(request: Request) -> Response:
        identity = request_id(request.headers.get("x-request-id"))
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            errors = wire_errors(error, identity)
            status = STATUS[errors[0]["extensions"]["code"]]
            if isinstance(error, NotThisWay):
                status = error.status
            headers = {"cache-control": "no-store", "x-request-id": identity}
            return JSONResponse({"errors": errors}, status, headers)

    return answered
