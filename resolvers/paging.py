"""Connections: which rows a page asks for, and cursors, which are the plain values of the order's keys."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.errors import InvalidInput
from resolvers.compile.source import Argument, Order

DEFAULT_SIZE = 20
MAX_SIZE = 100
MAX_COUNTED = 10_000

ARGUMENTS = (
    Argument(
        "first", int | None, f"How many items from the start, at most {MAX_SIZE}; not with `last`.", None
    ),
    Argument("after", str | None, "Only items behind this cursor.", None),
    Argument("last", int | None, f"How many items from the end, at most {MAX_SIZE}; not with `first`.", None),
    Argument("before", str | None, "Only items ahead of this cursor.", None),
)

Cursor = tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """Which stretch of a list is asked for: `size` items from its start, or from its end if `backward`."""

    size: int
    backward: bool = False
    after: Cursor | None = None
    before: Cursor | None = None


def window(arguments: Mapping[str, Any], order: Order) -> Window:
    """The window that the four paging arguments describe; InvalidInput where they break a rule."""
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise InvalidInput("Ask with `first` or with `last`, not with both.", ["last"])
    name, size = ("last", last) if last is not None else ("first", first)
    size = DEFAULT_SIZE if size is None else size
    if not 0 <= size <= MAX_SIZE:
        raise InvalidInput(f"`{name}` is between 0 and {MAX_SIZE}.", [name])
    return Window(
        size,
        last is not None,
        _cursor("after", arguments.get("after"), order),
        _cursor("before", arguments.get("before"), order),
    )


def write_cursor(keys: Sequence[str]) -> str:
    """The cursor of a row: the values of its order's keys as JSON, base64url without padding."""
    return base64.urlsafe_b64encode(json.dumps(list(keys)).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, order: Order) -> Cursor:
    """The key values of a cursor; ValueError if it is none of this order."""
    padded = cursor + "=" * (-len(cursor) % 4)
    values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if not isinstance(values, list) or len(values) != len(order.keys):
        raise ValueError("not a cursor of this order")
    for value, (_, kind) in zip(values, order.keys, strict=True):
        READERS[kind](value)
    return tuple(values)


async def total_count(page: Mapping[str, Any], context: Any) -> int | None:
    """How many items the page's list has; None for more than `MAX_COUNTED`."""
    counted: int | None = await page["total"]()
    return counted


def _cursor(name: str, cursor: str | None, order: Order) -> Cursor | None:
    if cursor is None:
        return None
    try:
        return read_cursor(cursor, order)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(f"`{name}` is not a cursor of this list.", [name]) from None


def _instant(value: str) -> None:
    # Rows without the value sort at -infinity.
    if value != "-infinity":
        datetime.fromisoformat(value)


def _whole(value: str) -> None:
    if not -(2**31) <= int(value) < 2**31:
        raise ValueError("not an int4")


def _text(value: str) -> None:
    if "\0" in value:
        raise ValueError("text without NUL")
    value.encode()


# What Postgres would refuse to cast is refused here: a cursor is a user's input like any other.
READERS: dict[str, Callable[[str], object]] = {
    "timestamptz": _instant,
    "uuid": UUID,
    "float8": float,
    "int4": _whole,
    "text": _text,
}
