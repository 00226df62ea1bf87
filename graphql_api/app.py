"""Puts the edge together: opens what requests need, and routes to it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from db.accounts import Passwords
from db.connection import Database, patiently
from db.keyfile import master_key
from db.local_store import LocalStore
from graphql_api import graphiql, media, metrics
from graphql_api.auth import Claims, TokenKeys
from graphql_api.health import Health
from graphql_api.service import Options as EndpointOptions
from graphql_api.service import RequestInfo
from graphql_api.transport import GraphQLEndpoint
from resolvers.context import Context, Options
from resolvers.live import Hub
from schema.root import build_schema, sdl

if TYPE_CHECKING:
    from settings import Settings


def open_store(settings: "Settings") -> LocalStore:
    """The object store of the settings; web and workers open the same."""
    key = master_key(settings.objects.master_key.get_secret_value(), settings.home)
    return LocalStore(settings.home / "objects", master_key=key, base_url=settings.base_url)


@asynccontextmanager
async def open_app(settings: "Settings") -> AsyncIterator[Starlette]:
    """The whole edge as one ASGI app, with its connections open."""
    async with AsyncExitStack() as stack:
        database = await patiently(
            lambda: Database.open(settings.database.app, size=settings.database.pool_size, name="web")
        )
        stack.push_async_callback(database.close)
        redis = await stack.enter_async_context(
            Redis.from_url(settings.redis.url, socket_connect_timeout=2, socket_timeout=5)
        )
        hub = Hub(settings.redis.url, database)
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(hub.run)
        stack.callback(group.cancel_scope.cancel)
        yield Starlette(
            routes=_routes(settings, database, redis, hub),
            exception_handlers={HTTPException: _refused, Exception: _broken},
        )


def _routes(settings: "Settings", database: Database, redis: Redis, hub: Hub) -> list[BaseRoute]:
    keys = TokenKeys.load(
        settings.web.jwt_private_key.get_secret_value(),
        settings.home,
        issuer=settings.base_url,
        seconds=settings.web.access_token_seconds,
    )
    store = open_store(settings)
    base = Context(database, store, keys, hub, Passwords(), _options(settings))

    async def authenticate(token: str | None) -> Claims | None:
        return keys.verify(token) if token else None

    def open_context(info: RequestInfo) -> Context:
        return base.operation(info.viewer, info.request_id)

    endpoint = GraphQLEndpoint(
        build_schema(),
        open_context=open_context,
        authenticate=authenticate,
        options=EndpointOptions.of(settings.web, development=settings.development),
    )
    health = Health(database, redis, hub)

    async def schema(_: Request) -> Response:
        return PlainTextResponse(sdl())

    return [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Route("/schema.graphql", schema),
        *(graphiql.routes() if settings.development else ()),
        *media.routes(store),
        *health.routes,
        metrics.route(health),
    ]


def _options(settings: "Settings") -> Options:
    return Options(
        development=settings.development,
        refresh_seconds=settings.web.refresh_token_seconds,
        heartbeat_seconds=settings.web.heartbeat_seconds,
        max_upload_bytes=settings.objects.max_upload_bytes,
        part_bytes=settings.objects.part_bytes,
        upload_seconds=settings.objects.upload_seconds,
    )


async def _broken(request: Request, _: Exception) -> Response:
    """A fault of ours outside GraphQL: the server's log has it, the answer does not."""
    error = {"message": "Something went wrong on our side.", "extensions": {"code": "INTERNAL"}}
    return JSONResponse({"errors": [error]}, 500)


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself, as JSON like everything else."""
    assert isinstance(error, HTTPException)
    found = error.status_code != 404
    code = "INVALID_INPUT" if found else "NOT_FOUND"
    message = error.detail if found else f"There is nothing at {request.url.path}."
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return JSONResponse(body, error.status_code, headers=error.headers)
