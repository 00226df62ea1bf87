"""Declaring fields: what is left out cannot be written."""

from typing import Annotated, Any, Generic, TypeVar

import pytest
import strawberry

from db.connection import Unit
from resolvers.access import ADMIN, ANYONE, AUTHENTICATED
from resolvers.compile.source import Column, Python
from resolvers.context import Context
from schema.fields import DeclaredField, changed_by, field, record

Item = TypeVar("Item")


def test_a_field_without_a_source_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="title has no source"):

        @record("A thing.")
        class Thing:
            title: str


def test_a_field_of_plain_strawberry_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="title has no source"):

        @record("A thing.")
        class Thing:
            title: str = strawberry.field(description="Its title.")


def test_a_field_without_a_description_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="description"):
        field(Column("title"), ANYONE, "")


def test_an_argument_without_a_description_cannot_be_written() -> None:
    async def size(root: Any, context: Context, unit: str) -> int:
        return 1

    with pytest.raises(TypeError, match="unit needs a description"):
        field(Python(size), ANYONE, "How large it is.")


def test_the_access_rule_is_part_of_the_description() -> None:
    declared: DeclaredField = field(Column("title"), AUTHENTICATED, "Its title.")
    assert declared.description == "Its title. Needs a login."
    assert field(Column("title"), ANYONE, "Its title.").description == "Its title."


def test_arguments_come_from_the_function_with_their_defaults() -> None:
    async def size(
        root: Any,
        context: Context,
        unit: Annotated[str, "The unit."],
        digits: Annotated[int, "How many digits."] = 2,
        note: Annotated[str | None, "A note."] = None,
    ) -> int:
        return 1

    arguments = field(Python(size), ANYONE, "How large it is.").arguments
    assert [(a.python_name, a.default) for a in arguments] == [
        ("unit", strawberry.UNSET),
        ("digits", 2),
        ("note", strawberry.UNSET),
    ]


def test_a_change_without_an_input_takes_an_idempotency_key_by_itself() -> None:
    async def stop(unit: Unit, context: Context, id: Annotated[strawberry.ID, "Which."]) -> dict[str, Any]:
        return {}

    names = [argument.python_name for argument in changed_by(stop, ANYONE, "Stops it.").arguments]
    assert names == ["id", "idempotency_key"]


def test_fields_of_generic_types_keep_source_and_access() -> None:
    @record("A box.")
    class Box(Generic[Item]):
        content: Item = field(Column("content"), ADMIN, "What is in it.")

    @record("The root.")
    class Query:
        box: Box[int] = field(Column("box"), ANYONE, "A box.")

    schema = strawberry.Schema(Query)
    copied = schema.get_field_for_type("content", "IntBox")
    assert isinstance(copied, DeclaredField)
    assert (copied.source, copied.access) == (Column("content"), ADMIN)
