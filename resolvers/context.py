"""What an operation works with: who asks, the clients made once by the entry point, and its own reads."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from db.accounts import Passwords
from db.connection import Database, Unit, Viewer
from db.objects import ObjectStore
from resolvers.compile.reads import Reads
from resolvers.live import Hub


class Tokens(Protocol):
    """Makes access tokens."""

    def issue(self, viewer: Viewer, token_version: int) -> tuple[str, datetime]:
        """A signed token and the instant it expires at."""


@dataclass(frozen=True)
class Options:
    """The few settings that answers depend on; sizes in bytes, times in seconds."""

    development: bool = False
    refresh_seconds: float = 30 * 86_400
    max_upload_bytes: int = 10 * 1024**3
    part_bytes: int = 16 * 1024**2
    upload_seconds: float = 86_400
    heartbeat_seconds: float = 10.0


@dataclass(frozen=True)
class Context:
    """One per operation: `operation()` makes it from the one that the entry point has built."""

    database: Database
    store: ObjectStore
    tokens: Tokens
    hub: Hub
    passwords: Passwords
    options: Options
    viewer: Viewer | None = None
    request_id: str = ""

    def operation(self, viewer: Viewer | None, request_id: str) -> "Context":
        """The context of a new operation, with reads of its own."""
        return replace(self, viewer=viewer, request_id=request_id)

    @cached_property
    def reads(self) -> Reads:
        """What this operation has read and is about to read."""
        return Reads(self.database, self.viewer)

    def unit_of_work(self) -> AbstractAsyncContextManager[Unit]:
        """One transaction as the viewer."""
        return self.database.unit_of_work(self.viewer)
