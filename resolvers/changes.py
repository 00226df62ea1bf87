"""Performs mutations: one transaction each, at most once per idempotency key, refusals as user errors."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from db import idempotency
from db.connection import Unit
from db.errors import ViduraError
from resolvers.access import login
from resolvers.checks import storable, text
from resolvers.compile.source import Argument, Change
from resolvers.context import Context

KEY = Argument(
    "idempotency_key",
    str | None,
    "Makes repeating safe: the same key with the same arguments has one effect and one answer.",
    None,
)
LONGEST_KEY = 200


class Payload(dict[str, Any]):
    """A mutation's answer: ids and values by name, and `errors`; what is not in it is null."""

    def __missing__(self, name: str) -> Any:
        return [] if name == "errors" else None


def user_error(error: ViduraError) -> dict[str, Any]:
    """A refusal as the API shows it."""
    return {"code": error.code, "message": error.message, "path": error.path}


async def perform(change: Change, context: Context, arguments: dict[str, Any]) -> Payload:
    """Runs a mutation; whatever a user can put right comes back in `errors`, and nothing was changed."""
    # What earlier fields of this operation have read may be changed now.
    context.reads.become(context.viewer)
    try:
        storable(arguments)
        if not change.once:
            return Payload(await change.function(context, **arguments))
        async with context.unit_of_work() as unit:
            return Payload(await _once(change, unit, context, arguments))
    except ViduraError as error:
        return Payload(errors=[user_error(_located(error, arguments))])


async def _once(change: Change, unit: Unit, context: Context, arguments: dict[str, Any]) -> Mapping[str, Any]:
    """The answer kept under the call's idempotency key, else a new one, kept in the same transaction."""
    key = _key(arguments)
    wanted = {name: value for name, value in arguments.items() if name != KEY.name}
    if key is None:
        return await change.function(unit, context, **wanted)
    place = idempotency.Place(
        login(context.viewer).workspace_id, change.function.__name__, key, _digest(wanted)
    )
    earlier = await idempotency.claim(unit, place)
    if earlier is not None:
        return earlier
    answer = await change.function(unit, context, **wanted)
    await idempotency.keep(unit, place, answer)
    return answer


def _key(arguments: Mapping[str, Any]) -> str | None:
    key = arguments.get(KEY.name) or getattr(arguments.get("input"), KEY.name, None)
    return text(key, ["idempotencyKey"], longest=LONGEST_KEY) if key else None


def _digest(arguments: Mapping[str, Any]) -> str:
    """What makes two calls equal: their arguments, but for the key."""
    values = dict(arguments)
    if "input" in values:
        values["input"] = asdict(values["input"]) | {KEY.name: None}
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _located(error: ViduraError, arguments: Mapping[str, Any]) -> ViduraError:
    """Rules know a noun's fields by name; in the API they are fields of `input`."""
    if error.path and "input" in arguments and error.path[0] != "input":
        error.path = ["input", *error.path]
    return error
