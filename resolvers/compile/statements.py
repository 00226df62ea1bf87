"""The SQL of declared sources, for many parents at once: `$1` holds their keys, `p.key` is one of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.compile.source import Condition, Many, One, Order, Pages
from resolvers.paging import MAX_COUNTED, Cursor, Window


@dataclass(frozen=True)
class Selection:
    """Which rows of a connection are meant, before paging."""

    source: Pages
    conditions: tuple[Condition, ...]


def related(source: One | Many, key_type: str) -> str:
    """All rows tied to the keys, each with its `_key`."""
    order = f" order by {source.order}" if isinstance(source, Many) else ""
    return (
        f"select p.key as _key, t.* {_keys(key_type)}"
        f" join {source.table} t on {_tie(source)} where {source.where}{order}"
    )


def page(chosen: Selection, order: Order, window: Window, key_type: str) -> tuple[str, list[Any]]:
    """One page for every key, and the values behind `$1`; each row has its `_key` and `_cursor`.

    One row more than asked for is read: it says whether there is another page.
    """
    values: list[Any] = []
    wanted = [_wanted(chosen, values)]
    if window.after:
        wanted.append(_beyond(order, window.after, order.descending, values))
    if window.before:
        wanted.append(_beyond(order, window.before, not order.descending, values))
    direction = "desc" if order.descending != window.backward else "asc"
    places = range(len(order.keys))
    sql = f"""
        select p.key as _key, c.*, array[{", ".join(f"c._{n}::text" for n in places)}] as _cursor
        {_keys(key_type)} cross join lateral (
          select t.*, {", ".join(f"{sql} as _{n}" for n, (sql, _) in enumerate(order.keys))}
          from {chosen.source.table} t where {" and ".join(wanted)}
          order by {", ".join(f"{sql} {direction}" for sql, _ in order.keys)} limit {window.size + 1}
        ) c order by {", ".join(f"c._{n} {direction}" for n in places)}
    """
    return sql, values


def count(chosen: Selection, key_type: str) -> tuple[str, list[Any]]:
    """How many rows each key has, counted no further than is told, and the values behind `$1`."""
    values: list[Any] = []
    rows = f"select from {chosen.source.table} t where {_wanted(chosen, values)} limit {MAX_COUNTED + 1}"
    return f"select p.key as _key, (select count(*) from ({rows}) c) as n {_keys(key_type)}", values


def computed(table: str, expressions: Sequence[str]) -> str:
    """Expressions over the rows with the ids `$1`, as columns `_0`, `_1`…"""
    columns = ", ".join(f"({sql}) as _{place}" for place, sql in enumerate(expressions))
    return f"select t.id, {columns} from {table} t where t.id = any($1::uuid[])"


def _wanted(chosen: Selection, values: list[Any]) -> str:
    """The connection's conditions as SQL; their values are appended to `values`."""
    parts = [_tie(chosen.source), chosen.source.where]
    parts += [f"({_bind(condition.sql, condition.values, values)})" for condition in chosen.conditions]
    return " and ".join(parts)


def _beyond(order: Order, cursor: Cursor, below: bool, values: list[Any]) -> str:
    """Rows on the far side of a cursor."""
    casts = ", ".join(f"{{{n}}}::text::{kind}" for n, (_, kind) in enumerate(order.keys))
    keys = ", ".join(sql for sql, _ in order.keys)
    return f"({keys}) {'<' if below else '>'} ({_bind(casts, cursor, values)})"


def _bind(sql: str, bound: Iterable[Any], values: list[Any]) -> str:
    """Numbers the placeholders behind those in use."""
    bound = list(bound)
    numbered = sql.format(*(f"${len(values) + 2 + place}" for place in range(len(bound))))
    values.extend(bound)
    return numbered


def _tie(source: One | Many | Pages) -> str:
    return source.key.ties.replace("{key}", "p.key")


def _keys(key_type: str) -> str:
    return f"from unnest($1::{key_type}[]) as p(key)"
