"""What both transports share: who asks, the options, and how an operation gets its context."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import uuid4

from db.connection import Viewer
from db.errors import Unauthenticated
from graphql_api.auth import Claims
from graphql_api.limits import Limits
from graphql_api.operations import Operations

if TYPE_CHECKING:
    from settings import Web

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """One operation's circumstances: who asks (None: nobody logged in), whence, and what else they sent."""

    viewer: Viewer | None
    request_id: str
    address: str
    transport: Literal["http", "websocket"]
    extensions: Mapping[str, Any]


ContextFactory: TypeAlias = Callable[[RequestInfo], object]
"""Makes the context of one operation; never shared with another, not even on one socket."""

Authenticate: TypeAlias = Callable[[str | None], Awaitable[Claims | None]]
"""Who sent this token: None without one; raises Unauthenticated or TokenExpired for a bad one."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the endpoint accepts."""

    graphiql: bool = False
    allowed_origins: frozenset[str] = frozenset()
    max_body_bytes: int = 256 * 1024
    max_frame_bytes: int = 64 * 1024
    max_subscriptions: int = 20
    init_timeout_seconds: float = 5.0
    send_timeout_seconds: float = 10.0
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, web: "Web", *, development: bool) -> "Options":
        """The options that the settings ask for."""
        origins = (origin.strip() for origin in web.allowed_origins.split(","))
        return cls(
            graphiql=development,
            allowed_origins=frozenset(origin for origin in origins if origin),
            max_body_bytes=web.max_body_bytes,
            max_frame_bytes=web.max_frame_bytes,
            max_subscriptions=web.max_subscriptions,
            init_timeout_seconds=web.init_timeout_seconds,
            limits=Limits(tokens=web.max_tokens, depth=web.max_depth),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that answer an operation, whatever transport it came by."""

    operations: Operations
    open_context: ContextFactory
    authenticate: Authenticate
    options: Options


def bearer(value: str | None) -> str | None:
    """The token of an Authorization header or field; Unauthenticated if it is of another kind."""
    if value is None or not value.strip():
        return None
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated('Send the access token as "Authorization: Bearer …".')
    return token.strip()


def request_id(value: str | None) -> str:
    """The caller's own id for this request if it is one, else a new one."""
    return value if value and REQUEST_ID.fullmatch(value) else uuid4().hex
