"""Anything by its global id: the table in the id says where to look."""

from collections.abc import Awaitable
from typing import Annotated, Any

import strawberry

from db.errors import InvalidInput, NotFound
from db.ids import split
from resolvers.compile.reads import Row
from resolvers.compile.source import ById, One
from resolvers.context import Context

NODES = {
    table: One(table, ById("The object's id."))
    for table in ("captions", "media", "models", "runs", "stages", "tags", "uploads", "users")
}
"""The tables whose rows are nodes."""

MOST = 100


async def node(
    root: Any, context: Context, id: Annotated[strawberry.ID, "The object's global id."]
) -> Row | None:
    """The object of an id; None for what does not exist, exactly as for what the viewer may not see."""
    asked = _ask(context, id)
    return await asked if asked else None


async def nodes(
    root: Any,
    context: Context,
    ids: Annotated[list[strawberry.ID], f"Global ids, at most {MOST}."],
) -> list[Row | None]:
    """The objects of several ids, in their order."""
    if len(ids) > MOST:
        raise InvalidInput(f"Ask for at most {MOST} objects at once.", ["ids"])
    asked = [_ask(context, each) for each in ids]
    return [await each if each else None for each in asked]


def _ask(context: Context, global_id: str) -> Awaitable[Row | None] | None:
    try:
        table, key = split(global_id)
    except NotFound:
        return None
    if table not in NODES:
        return None
    context.reads.reach.add(key)
    return context.reads.one(NODES[table], key)
