"""The one pool of a process, units of work on it, and the viewer that row-level security asks for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

import asyncpg
import orjson
from pgvector.asyncpg import register_vector
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext, _current_context
from tortoise.exceptions import DBConnectionError

Answer = TypeVar("Answer")
Row: TypeAlias = asyncpg.Record

MODELS = [
    f"db.models.{noun}"
    for noun in ("accounts", "captions", "catalogue", "embeddings", "events", "media", "runs", "tags")
]
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
    DBConnectionError,
    TimeoutError,
)
"""What the driver raises while Postgres is down, starting or cutting us off."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: nobody sees more than this says."""

    user_id: UUID
    workspace_id: UUID
    role: str

    @property
    def scope(self) -> str:
        """The text row-level security reads: role/user/workspace."""
        return f"{self.role}/{self.user_id}/{self.workspace_id}"


ANONYMOUS = "//"

ACQUIRE_SECONDS = 10.0
"""How long a unit of work waits for a free connection before it says that Postgres is away."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction: SQL by position, or Tortoise writes through `using_db=unit.orm`."""

    orm: BaseDBAsyncClient
    connection: asyncpg.Connection

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """All rows of a statement."""
        rows: list[Row] = await self.connection.fetch(sql, *values)
        return rows

    async def row(self, sql: str, *values: Any) -> Row | None:
        """The first row, or None."""
        return await self.connection.fetchrow(sql, *values)

    async def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.connection.fetchval(sql, *values)

    async def execute(self, sql: str, *values: Any) -> int:
        """Runs a statement; how many rows it touched."""
        status: str = await self.connection.execute(sql, *values)
        return int(status.rsplit(" ", 1)[-1]) if status[-1:].isdigit() else 0


class Database:
    """A pool of connections of one role."""

    def __init__(self, context: TortoiseContext, client: AsyncpgDBClient, pool: asyncpg.Pool) -> None:
        self._context = context
        self._client = client
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, size: int = 10, name: str = "vidura") -> "Database":
        """Connects with the role named in `url`; raises one of AWAY when nobody answers."""
        context = TortoiseContext()
        with context:
            await context.init(config=tortoise_config(url, size, name))
            client = cast("AsyncpgDBClient", context.db())
            await client.create_connection(with_db=True)
        return cls(context, client, client._pool)

    async def close(self) -> None:
        """Gives all connections back to Postgres."""
        await self._context.close_connections()

    @asynccontextmanager
    async def unit_of_work(
        self, viewer: Viewer | None = None, reach: Sequence[UUID] = ()
    ) -> AsyncIterator[Unit]:
        """One transaction seen through the eyes of `viewer`; `reach` names UNLISTED items asked for by id.

        Workers pass no viewer: their role's policies show them everything.
        """
        # `with context` would keep its token on the one shared object, which parallel tasks overwrite.
        token = _current_context.set(self._context)
        try:
            # Tortoise's own transactions never give back a connection on which BEGIN failed.
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
                await connection.execute(
                    "select set_config('app.viewer', $1, true), set_config('app.reach', $2, true)",
                    viewer.scope if viewer else ANONYMOUS,
                    ",".join(map(str, reach)),
                )
                yield Unit(_within(self._client, connection), connection)
        finally:
            _current_context.reset(token)


def _within(client: AsyncpgDBClient, connection: asyncpg.Connection) -> BaseDBAsyncClient:
    """The client for Tortoise's writes inside a transaction that is open already."""
    orm = TransactionWrapper(client)
    orm._connection = connection
    return orm


async def _prepare(connection: asyncpg.Connection) -> None:
    """Codecs of every connection: vectors as arrays, JSON as values (text passes as already encoded)."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
            decoder=orjson.loads,
        )
    await register_vector(connection)


def tortoise_config(url: str, size: int, name: str) -> dict[str, Any]:
    """Tortoise's configuration for one URL; our migrations live in `db.migrations`."""
    parts = urlsplit(url)
    credentials = {
        "host": parts.hostname,
        "port": parts.port or 5432,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.lstrip("/"),
        "minsize": 1,
        "maxsize": size,
        "application_name": name,
        "command_timeout": 60,
        "init": _prepare,
    }
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {
            "vidura": {"models": MODELS, "default_connection": "default", "migrations": "db.migrations"}
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def going_on() -> bool:
    """True, or CancelledError in a task that is being cancelled: the condition of every endless loop.

    Drivers now and then swallow a cancellation, with an answer or an error of their own.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return True


async def patiently(work: Callable[[], Awaitable[Answer]], seconds: float = 30.0) -> Answer:
    """Repeats `work` while Postgres is away, for at most `seconds`; `work` must be safe to repeat."""
    async with asyncio.timeout(seconds) as deadline:
        while going_on():
            try:
                return await work()
            except AWAY:
                if deadline.expired():
                    raise
                await asyncio.sleep(0.25)
    raise AssertionError
