"""How types declare their fields: every one with a source, an access rule and a description.

A type is a view of a record; it is never instantiated.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

from resolvers import changes, paging
from resolvers.access import ANYONE, Access
from resolvers.checks import storable
from resolvers.compile.execute import Answer, answer
from resolvers.compile.reads import Row
from resolvers.compile.source import (
    REQUIRED,
    Argument,
    By,
    ById,
    Change,
    Choice,
    Column,
    GlobalId,
    Many,
    One,
    Pages,
    Python,
    SameRow,
    Source,
    Stream,
)

Type = TypeVar("Type", bound=type)


class DeclaredField(StrawberryField):
    """A field that knows its source and who may read it."""

    source: Source
    access: Access
    answer: Answer

    @property
    def is_basic_field(self) -> bool:
        """Whether the parent alone answers it: Strawberry then spares the rest."""
        return self.access is ANYONE and isinstance(self.source, Column | GlobalId | SameRow)

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The field's value for the parent `source`, or an awaitable of it; null if access hides it."""
        context = info and info.context
        if kwargs and not isinstance(self.source, Change):
            storable(kwargs)
        if self.access is not ANYONE and not self.access.grants(context.viewer, source):
            return None
        return self.answer(source, context, kwargs)

    def __copy__(self) -> "DeclaredField":
        copied = super().__copy__()
        copied.source, copied.access, copied.answer = self.source, self.access, self.answer
        return copied


def field(source: Source, access: Access, says: str) -> Any:
    """One field: where its value comes from, who may read it, and a sentence for those who use it."""
    if not says:
        raise TypeError("A field needs a description.")
    declared = DeclaredField(
        description=f"{says} {access.says}".strip(), is_subscription=isinstance(source, Stream)
    )
    declared.source, declared.access, declared.answer = source, access, answer(source)
    declared.arguments = [_argument(argument) for argument in _arguments(source)]
    return declared


def changed_by(function: Callable[..., Any], access: Access, says: str, *, once: bool = True) -> Any:
    """A mutation; see `Change`."""
    return field(Change(function, once), access, says)


def streamed_by(function: Callable[..., Any], access: Access, says: str) -> Any:
    """A subscription; see `Stream`."""
    return field(Stream(function), access, says)


def record(says: str, *, table: str = "", having: tuple[str, str] | None = None) -> Callable[[Type], Type]:
    """An object type; with `table` it is the view of its rows, or of those `having` a value in a column."""

    def declare(cls: Type) -> Type:
        def is_type_of(value: Any, info: Any) -> bool:
            if not isinstance(value, Row) or value.table != table:
                return False
            return having is None or value[having[0]] == having[1]

        if table:
            cls.__table__, cls.is_type_of = table, staticmethod(is_type_of)  # type: ignore[attr-defined]
        return _checked(strawberry.type(description=says)(cls))

    return declare


def interface(says: str) -> Callable[[Type], Type]:
    """An interface of rows."""
    return lambda cls: _checked(strawberry.interface(description=says)(cls))


def _checked(cls: Type) -> Type:
    for declared in cls.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        if not isinstance(declared, DeclaredField):
            raise TypeError(f"{cls.__name__}.{declared.python_name} has no source: declare it with field().")
    return cls


def _arguments(source: Source) -> Iterable[Argument]:
    """The arguments that a source takes."""
    match source:
        case Python(function):
            return _parameters(function, 2)
        case Stream(function):
            return _parameters(function, 1)
        case Change(function, once):
            own = list(_parameters(function, 2 if once else 1))
            return own if not once or (own and own[0].name == "input") else [*own, changes.KEY]
        case One(key=ById(says=says)) | Many(key=ById(says=says)):
            return [Argument("id", strawberry.ID, says)]
        case One(key=By(name=name, says=says)):
            return [Argument(name, str, says)]
        case Pages(order=order, filters=filters):
            chosen = [order.argument] if isinstance(order, Choice) else []
            return [*paging.ARGUMENTS, *(wanted.argument for wanted in filters), *chosen]
        case _:
            return []


def _parameters(function: Callable[..., Any], skipped: int) -> Iterator[Argument]:
    """A function's parameters behind the first ones; each is Annotated with its description."""
    hints = get_type_hints(function, include_extras=True)
    for parameter in list(inspect.signature(function).parameters.values())[skipped:]:
        hint = hints[parameter.name]
        notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        says = next((note for note in notes if isinstance(note, str)), "")
        default = REQUIRED if parameter.default is inspect.Parameter.empty else parameter.default
        yield Argument(parameter.name, get_args(hint)[0] if notes else hint, says, default)


def _argument(argument: Argument) -> StrawberryArgument:
    if not argument.says:
        raise TypeError(f"The argument {argument.name} needs a description.")
    # An optional argument that is left out has no value: the schema shows no default for it.
    default = UNSET if argument.default is None or argument.default is REQUIRED else argument.default
    return StrawberryArgument(
        python_name=argument.name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(argument.type),
        description=argument.says,
        default=default,
    )
