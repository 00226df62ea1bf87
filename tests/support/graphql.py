"""Asks the real schema on the real database, as a request would, and counts the statements it takes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.accounts import Passwords
from db.connection import Database, Unit, Viewer
from db.errors import ViduraError
from db.local_store import LocalStore
from graphql_api.auth import TokenKeys
from resolvers.context import Context, Options
from resolvers.live import Hub
from schema.root import build_schema

SCHEMA = build_schema()


class Counted(Database):
    """A database that notes the statements it is sent, but for those that begin a unit of work."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._context, database._client, database._pool)
        self.statements: list[str] = []

    @asynccontextmanager
    async def unit_of_work(
        self, viewer: Viewer | None = None, reach: Sequence[UUID] = ()
    ) -> AsyncIterator[Unit]:
        """The same unit of work, listened to."""
        async with super().unit_of_work(viewer, reach) as unit:
            with unit.connection.query_logger(lambda record: self.statements.append(record.query)):
                yield unit


@dataclass
class Answer:
    """What an operation came to."""

    data: Any
    errors: list[Any] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """The code of each top-level error; bugs and faulty documents have none."""
        causes = [error.original_error for error in self.errors]
        return [cause.code if isinstance(cause, ViduraError) else "" for cause in causes]


class Api:
    """The schema, with everything an operation works with."""

    def __init__(self, database: Database, home: Path, redis_url: str, **options: Any) -> None:
        self.database = Counted(database)
        self.store = LocalStore(home, master_key=b"k" * 32, base_url="http://vidura.test")
        self.tokens = TokenKeys(Ed25519PrivateKey.generate(), issuer="http://vidura.test", seconds=600)
        self.context = Context(
            database=self.database,
            store=self.store,
            tokens=self.tokens,
            hub=Hub(redis_url, database),
            passwords=Passwords(),
            options=Options(**{"development": True, **options}),
        )

    async def try_(self, query: str, viewer: Viewer | None = None, **variables: Any) -> Answer:
        """Executes an operation, whatever comes of it."""
        self.database.statements.clear()
        context = self.context.operation(viewer, "request-1")
        result = await SCHEMA.execute(query, variables, context)
        return Answer(result.data, list(result.errors or []), list(self.database.statements))

    async def __call__(self, query: str, viewer: Viewer | None = None, **variables: Any) -> Any:
        """The data of an operation that must not fail."""
        answer = await self.try_(query, viewer, **variables)
        assert not answer.errors, answer.errors
        return answer.data

    async def send(self, part: dict[str, Any], data: bytes) -> str:
        """PUTs a part to the store, as its link says; the etag."""
        url = urlsplit(part["url"])
        upload_id, number = url.path.split("/")[-2:]
        ticket = self.store.check_part(upload_id, number, dict(parse_qsl(url.query, keep_blank_values=True)))
        headers = {header["name"]: header["value"] for header in part.get("headers", [])}

        async def body() -> AsyncIterator[bytes]:
            yield data

        return await self.store.write_part(ticket, body(), headers.get("x-amz-checksum-sha256"))
