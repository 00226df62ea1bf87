"""What clients are told when something fails: coded errors, and nothing that was not meant for them."""

import logging
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import GraphQLError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from db.connection import AWAY
from db.errors import InvalidInput, Unavailable, ViduraError

log = logging.getLogger("vidura.errors")

STATUS = {
    "INVALID_INPUT": 400,
    "UNAUTHENTICATED": 401,
    "BUDGET_EXCEEDED": 402,
    "FORBIDDEN": 403,
    "EXPIRED": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "IDEMPOTENCY_MISMATCH": 409,
    "TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA": 415,
    "RATE_LIMITED": 429,
    "QUOTA_EXCEEDED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "QUEUE_FULL": 503,
    "INSUFFICIENT_STORAGE": 507,
}
"""The HTTP status of each code, where a request fails as a whole."""

NETWORK = (ConnectionError, TimeoutError, socket.gaierror, RedisConnectionError, RedisTimeoutError)


class Refused(Exception):
    """The request cannot be executed: its syntax, its use of the schema or its variables are wrong."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        super().__init__("the request was refused")
        self.errors = list(errors)


class NotThisWay(InvalidInput):
    """The request is of a form that HTTP itself has a status for."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def wire_errors(error: Exception, request_id: str) -> list[dict[str, Any]]:
    """What a request that failed as a whole answers with."""
    if isinstance(error, Refused):
        return [wire_error(each, request_id) for each in error.errors]
    return [_told(error, request_id)]


def wire_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """One GraphQL error as clients see it: its cause decides the text and the code."""
    place = {name: value for name, value in error.formatted.items() if name in ("locations", "path")}
    cause = _cause(error)
    about_the_request = error.path is None or (isinstance(cause, GraphQLError) and cause.nodes)
    if about_the_request and not isinstance(cause, ViduraError):
        return {"message": error.message, **place, "extensions": {"code": InvalidInput.code}}
    return {**_told(cause, request_id), **place}


def _cause(error: GraphQLError) -> Exception:
    """What was raised in the first place: graphql-core wraps it, sometimes twice."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _told(error: Exception, request_id: str) -> dict[str, Any]:
    """Message and code of an exception; what nobody expected is masked, and logged here, once."""
    if isinstance(error, ViduraError):
        path = {"path": error.path} if error.path else {}
        return {"message": error.message, "extensions": {"code": error.code, **path}}
    if is_away(error):
        log.warning("request %s: a service is away (%s: %s)", request_id, type(error).__name__, error)
        message = "A service we need is away for a moment. Try again shortly."
        return {"message": message, "extensions": {"code": Unavailable.code}}
    log.error("request %s failed", request_id, exc_info=error)
    message = f"Something went wrong on our side (request {request_id})."
    return {"message": message, "extensions": {"code": ViduraError.code}}


def is_away(error: BaseException | None) -> bool:
    """Whether a service we need is away: Postgres, Redis or the network, directly or as the cause."""
    while error is not None:
        # An OSError that is none of NETWORK is a fault of this machine or of ours.
        if isinstance(error, NETWORK) or (isinstance(error, AWAY) and not isinstance(error, OSError)):
            return True
        error = error.__cause__
    return False
