"""Reads what one operation asks for: equal questions of one moment become one statement."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from db.connection import Database, Viewer
from db.connection import Row as Record
from resolvers.compile import statements
from resolvers.compile.source import Many, One, Order
from resolvers.compile.statements import Selection
from resolvers.paging import MAX_COUNTED, Window, write_cursor


@dataclass(frozen=True, slots=True)
class Row:
    """A record that knows its table, and so its type in the schema; the image of an event is one too."""

    table: str
    record: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.record[name]


class Reads:
    """All reads of one operation; what was read once is not read again until `become`."""

    def __init__(self, database: Database, viewer: Viewer | None) -> None:
        self._database = database
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        self.viewer = viewer
        self.reach: set[UUID] = set()

    def become(self, viewer: Viewer | None) -> None:
        """Forgets what was read and reads on as `viewer`: after a change, and for whoever just logged in."""
        self._loaders = {}
        self.viewer = viewer

    def one(self, source: One, key: Any) -> Awaitable[Row | None]:
        """The row of `key`."""
        return self._ask(source, key, partial(self._read_one, source))

    def many(self, source: Many, key: Any) -> Awaitable[list[Row]]:
        """The rows that belong to `key`, in order."""
        return self._ask(source, key, partial(self._read_many, source))

    def page(self, chosen: Selection, order: Order, window: Window, key: Any) -> Awaitable[dict[str, Any]]:
        """A connection's `edges`, `nodes` and `page_info`, and `total`, which counts when it is called."""
        return self._ask((chosen, order, window), key, partial(self._read_page, chosen, order, window))

    def computed(self, expression: str, row: Row) -> Awaitable[Any]:
        """The value of an SQL expression over `row`; all expressions over one table are read together."""
        key = expression, UUID(str(row["id"]))
        return self._ask(row.table, key, partial(self._compute, row.table))

    async def total(self, chosen: Selection, key: Any) -> int | None:
        """How many rows a connection has, None if more than `MAX_COUNTED`."""
        counted: int = await self._ask(("total", chosen), key, partial(self._count, chosen))
        return counted if counted <= MAX_COUNTED else None

    def _ask(
        self, question: Hashable, key: Any, read: Callable[[list[Any]], Awaitable[list[Any]]]
    ) -> Awaitable[Any]:
        loader = self._loaders.get(question)
        if loader is None:
            loader = self._loaders[question] = DataLoader(load_fn=read)
        return loader.load(key)

    async def _rows(self, sql: str, keys: Sequence[Any], values: Sequence[Any] = ()) -> list[Record]:
        async with self._database.unit_of_work(self.viewer, tuple(self.reach)) as unit:
            return await unit.rows(sql, keys, *values)

    async def _grouped(self, sql: str, keys: list[Any], values: Sequence[Any] = ()) -> list[list[Record]]:
        """The rows of each key, in the statement's order."""
        groups: dict[Any, list[Record]] = {key: [] for key in keys}
        for record in await self._rows(sql, keys, values):
            groups[record["_key"]].append(record)
        return [groups[key] for key in keys]

    async def _read_one(self, source: One, keys: list[Any]) -> list[Row | None]:
        groups = await self._grouped(statements.related(source, _key_type(keys)), keys)
        return [Row(source.table, records[0]) if records else None for records in groups]

    async def _read_many(self, source: Many, keys: list[Any]) -> list[list[Row]]:
        groups = await self._grouped(statements.related(source, _key_type(keys)), keys)
        return [[Row(source.table, record) for record in records] for records in groups]

    async def _read_page(
        self, chosen: Selection, order: Order, window: Window, keys: list[Any]
    ) -> list[dict[str, Any]]:
        sql, values = statements.page(chosen, order, window, _key_type(keys))
        groups = await self._grouped(sql, keys, values)
        return [
            _page(chosen.source.table, records, window) | {"total": partial(self.total, chosen, key)}
            for key, records in zip(keys, groups, strict=True)
        ]

    async def _count(self, chosen: Selection, keys: list[Any]) -> list[int]:
        sql, values = statements.count(chosen, _key_type(keys))
        groups = await self._grouped(sql, keys, values)
        return [records[0]["n"] for records in groups]

    async def _compute(self, table: str, wanted: list[tuple[str, UUID]]) -> list[Any]:
        places = {sql: f"_{place}" for place, sql in enumerate(dict.fromkeys(sql for sql, _ in wanted))}
        ids = list(dict.fromkeys(key for _, key in wanted))
        found = {
            record["id"]: record for record in await self._rows(statements.computed(table, [*places]), ids)
        }
        return [found[key][places[sql]] if key in found else None for sql, key in wanted]


def _page(table: str, records: Sequence[Record], window: Window) -> dict[str, Any]:
    more = len(records) > window.size
    records = records[: window.size]
    if window.backward:
        records = records[::-1]
    edges = [{"node": Row(table, record), "cursor": write_cursor(record["_cursor"])} for record in records]
    info = {
        "has_next_page": window.before is not None if window.backward else more,
        "has_previous_page": more if window.backward else window.after is not None,
        "start_cursor": edges[0]["cursor"] if edges else None,
        "end_cursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "nodes": [edge["node"] for edge in edges], "page_info": info}


def _key_type(keys: Sequence[Any]) -> str:
    return "text" if isinstance(keys[0], str) else "uuid"
