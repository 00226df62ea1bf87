"""The first answer to a call, kept in its own transaction: the same key gets it again, however often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from db.connection import Unit
from db.errors import IdempotencyMismatch


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer is kept: an operation's key within a workspace, and the digest of its arguments."""

    workspace_id: UUID
    operation: str
    key: str
    digest: str


async def claim(unit: Unit, place: Place) -> dict[str, Any] | None:
    """Takes the key (None), or gives the answer it had before; IdempotencyMismatch for other arguments.

    While another transaction holds the key, this waits: exactly one of them does the work.
    """
    taken = await unit.value(
        """
        insert into idempotency_keys (workspace_id, operation, name, request_hash) values ($1, $2, $3, $4)
        on conflict do nothing returning id
        """,
        place.workspace_id,
        place.operation,
        place.key,
        place.digest,
    )
    if taken:
        return None
    kept = await unit.row(
        "select request_hash, answer from idempotency_keys"
        " where workspace_id = $1 and operation = $2 and name = $3",
        place.workspace_id,
        place.operation,
        place.key,
    )
    if kept is None or kept["request_hash"] != place.digest:
        raise IdempotencyMismatch("This idempotency key was used with other arguments.", ["idempotencyKey"])
    answer: dict[str, Any] = kept["answer"]
    return answer


async def keep(unit: Unit, place: Place, answer: Mapping[str, Any]) -> None:
    """Keeps the answer, which is then given again; it must be JSON, ids as text or UUID."""
    await unit.execute(
        "update idempotency_keys set answer = $4 where workspace_id = $1 and operation = $2 and name = $3",
        place.workspace_id,
        place.operation,
        place.key,
        orjson.dumps(answer).decode(),
    )
