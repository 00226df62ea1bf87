"""Connections: lists that are read page by page."""

from typing import Generic, TypeVar

from resolvers.access import ANYONE
from resolvers.compile.source import Column, Python
from resolvers.paging import total_count
from schema.fields import field, record

Item = TypeVar("Item")


@record("Where a page lies within its list.")
class PageInfo:
    """Ends of a page."""

    has_next_page: bool = field(Column("has_next_page"), ANYONE, "Whether there are items behind this page.")
    has_previous_page: bool = field(
        Column("has_previous_page"), ANYONE, "Whether there are items ahead of this page."
    )
    start_cursor: str | None = field(Column("start_cursor"), ANYONE, "Cursor of the first item.")
    end_cursor: str | None = field(Column("end_cursor"), ANYONE, "Cursor of the last item.")


@record("An item of a list, with its cursor.")
class Edge(Generic[Item]):
    """An item in its place."""

    node: Item = field(Column("node"), ANYONE, "The item.")
    cursor: str = field(Column("cursor"), ANYONE, "Where the item is in this list: for `after` and `before`.")


@record("One page of a list.")
class Connection(Generic[Item]):
    """A page."""

    edges: list[Edge[Item]] = field(Column("edges"), ANYONE, "The page's items with their cursors.")
    nodes: list[Item] = field(Column("nodes"), ANYONE, "The page's items.")
    page_info: PageInfo = field(Column("page_info"), ANYONE, "Where the page lies within the list.")
    total_count: int | None = field(
        Python(total_count), ANYONE, "How many items the whole list has: exact up to 10,000, then null."
    )
