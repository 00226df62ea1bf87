"""Answers a field from its declared source, for one parent: the executed path."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from db import ids
from db.connection import Viewer
from db.errors import NotFound
from resolvers.changes import perform
from resolvers.compile.source import (
    All,
    By,
    ById,
    Change,
    Choice,
    Column,
    Condition,
    GlobalId,
    Many,
    Of,
    OfViewer,
    One,
    Pages,
    Python,
    Relation,
    SameRow,
    Source,
    Sql,
    Stream,
)
from resolvers.compile.statements import Selection
from resolvers.context import Context
from resolvers.paging import window

Arguments = dict[str, Any]
Answer = Callable[[Any, Context, Arguments], Any]


def answer(source: Source) -> Answer:
    """The function of parent, context and arguments that answers a field; its result may be awaitable."""
    match source:
        case Column(name):
            return lambda parent, context, arguments: parent[name]
        case GlobalId():
            return lambda parent, context, arguments: ids.encode(parent.table, parent["id"])
        case SameRow(column):
            return lambda parent, context, arguments: None if parent[column] is None else parent
        case Sql(expression):
            return lambda parent, context, arguments: context.reads.computed(expression, parent)
        case One():
            return partial(_one, source)
        case Many():
            return partial(_many, source)
        case Pages():
            return partial(_page, source)
        case Python(function):
            return lambda parent, context, arguments: function(parent, context, **arguments)
        case Change():
            return lambda parent, context, arguments: perform(source, context, arguments)
        case Stream(function):
            return lambda parent, context, arguments: function(context, **arguments)


def _one(source: One, parent: Any, context: Context, arguments: Arguments) -> Any:
    key = _key(source, parent, context, arguments)
    return None if key is None else context.reads.one(source, key)


def _many(source: Many, parent: Any, context: Context, arguments: Arguments) -> Any:
    return context.reads.many(source, _key(source, parent, context, arguments))


def _page(source: Pages, parent: Any, context: Context, arguments: Arguments) -> Any:
    order = source.order
    if isinstance(order, Choice):
        order = order.orders[arguments[order.argument.name]]
    chosen = Selection(source, tuple(_conditions(source, context.viewer, arguments)))
    key = _key(source, parent, context, arguments)
    return context.reads.page(chosen, order, window(arguments, order), key)


def _conditions(source: Pages, viewer: Viewer | None, arguments: Arguments) -> Iterator[Condition]:
    if source.scope:
        yield source.scope(viewer, arguments)
    for wanted in source.filters:
        value = arguments.get(wanted.argument.name)
        if value is not None:
            yield from wanted.conditions(value)


def _key(source: Relation, parent: Any, context: Context, arguments: Arguments) -> Any:
    """What ties the wanted rows to this parent; None where there is nothing to tie them to."""
    match source.key:
        case Of(column):
            return None if parent[column] is None else UUID(str(parent[column]))
        case ById():
            return _asked_for(source.table, arguments["id"], context)
        case By(name):
            return arguments[name]
        case OfViewer():
            return context.viewer and context.viewer.user_id
        case All():
            return None


def _asked_for(table: str, global_id: str, context: Context) -> UUID | None:
    """The key in a global id; from now on this operation also reaches the item if it is UNLISTED."""
    try:
        key = ids.decode(table, global_id)
    except NotFound:
        return None
    context.reads.reach.add(key)
    return key
