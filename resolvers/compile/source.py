"""Where a field's value comes from, declared once: what runs the fields reads this, and so may a compiler.

In SQL, `t` is the row being read and `{key}` the value that ties it to its parent.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from db.connection import Viewer

REQUIRED: Any = object()
"""The default of an argument that has none."""


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument of a field: its GraphQL type as an annotation, and a sentence about it."""

    name: str
    type: Any
    says: str
    default: Any = REQUIRED


@dataclass(frozen=True)
class Condition:
    """SQL about `t` that must hold; `{0}`, `{1}`… stand for the values, which are hashable."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Filter:
    """An argument that leaves rows out; `conditions` may raise InvalidInput."""

    argument: Argument
    conditions: Callable[[Any], Iterable[Condition]]


@dataclass(frozen=True)
class Order:
    """A keyset: SQL expressions over `t`, never null and unique together, each with its SQL type."""

    keys: tuple[tuple[str, str], ...]
    descending: bool = False


@dataclass(frozen=True, eq=False)
class Choice:
    """An argument whose value picks the order."""

    argument: Argument
    orders: Mapping[Any, Order]


@dataclass(frozen=True)
class Of:
    """The key is this column of the parent; `ties` says which rows it leads to."""

    column: str = "id"
    ties: str = "t.id = {key}"


@dataclass(frozen=True)
class ById:
    """The key is the row that the argument `id`, a global id, names."""

    says: str
    ties: ClassVar[str] = "t.id = {key}"


@dataclass(frozen=True)
class By:
    """The key is this argument, a text."""

    name: str
    says: str
    ties: str


@dataclass(frozen=True)
class OfViewer:
    """The key is the user who asks; without one there is no row."""

    ties: str = "t.user_id = {key}"


@dataclass(frozen=True)
class All:
    """There is no key: every row the viewer may see."""

    ties: ClassVar[str] = "true"


Key: TypeAlias = Of | ById | By | OfViewer | All


@dataclass(frozen=True)
class Column:
    """What the parent holds under this name: a column of its row, or an entry of a payload or page."""

    name: str


@dataclass(frozen=True)
class GlobalId:
    """The parent's table and key as one opaque text."""


@dataclass(frozen=True)
class Sql:
    """An SQL expression over the parent's row `t`."""

    expression: str


@dataclass(frozen=True)
class SameRow:
    """Another view of the parent's own row; null where this column is."""

    unless_null: str


@dataclass(frozen=True, eq=False)
class One:
    """At most one row of `table`."""

    table: str
    key: Key
    where: str = "true"


@dataclass(frozen=True, eq=False)
class Many:
    """All rows of `table` that belong to the parent, few by nature; `order` is SQL over `t`."""

    table: str
    key: Key
    order: str
    where: str = "true"


@dataclass(frozen=True, eq=False)
class Pages:
    """A connection over rows of `table`; `scope` narrows by who asks and what they asked for."""

    table: str
    key: Key
    order: Order | Choice
    where: str = "true"
    filters: tuple[Filter, ...] = ()
    scope: Callable[[Viewer | None, Mapping[str, Any]], Condition] | None = None


@dataclass(frozen=True, eq=False)
class Python:
    """A function of parent, context and arguments; `needs` names the parent's columns it reads."""

    function: Callable[..., Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Change:
    """A mutation: a function of unit of work, context and arguments, with the ids for its payload as answer.

    `once`: it runs in one transaction and takes an idempotency key. Otherwise the function gets no unit.
    """

    function: Callable[..., Awaitable[dict[str, Any]]]
    once: bool = True


@dataclass(frozen=True, eq=False)
class Stream:
    """A subscription: an async generator of context and arguments."""

    function: Callable[..., Any]


Relation: TypeAlias = One | Many | Pages
Source: TypeAlias = Column | GlobalId | Sql | SameRow | Relation | Python | Change | Stream
