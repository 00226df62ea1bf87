"""The schema as a whole: nothing in it is undescribed, unprotected or without a source."""

from collections.abc import Iterator

import asyncpg
from graphql import GraphQLInterfaceType, GraphQLObjectType, build_schema, parse
from strawberry.types.base import StrawberryObjectDefinition

from resolvers.access import Access
from resolvers.compile.source import (
    Change,
    Column,
    Many,
    Of,
    One,
    Pages,
    Python,
    SameRow,
    Sql,
    Stream,
)
from resolvers.compile.statements import computed
from resolvers.node import NODES
from schema.fields import DeclaredField
from schema.root import build_schema as build
from schema.root import sdl, undescribed

SCHEMA = build()
SESSIONS = {"register", "login", "refresh", "logout"}


def declared() -> Iterator[tuple[StrawberryObjectDefinition, DeclaredField]]:
    """Every field of every object type and interface, with its type."""
    for kind in SCHEMA._schema.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not kind.name.startswith("__"):
            definition = kind.extensions["strawberry-definition"]
            for field in definition.fields:
                assert isinstance(field, DeclaredField), (kind.name, field)
                yield definition, field


def test_every_field_has_a_source_and_an_access_rule() -> None:
    fields = list(declared())
    assert len(fields) > 150
    for _, field in fields:
        assert field.source is not None
        assert isinstance(field.access, Access)


def test_every_type_field_argument_and_enum_value_is_described() -> None:
    assert list(undescribed(SCHEMA._schema)) == []


def test_what_lacks_a_description_is_named() -> None:
    bare = build_schema(
        '''
        """."""
        type Query { "." a("." x: Int, y: Int): Kind  b: Int }
        """."""
        enum Kind { "." ONE TWO }
        input In { "." c: Int }
        '''
    )
    assert set(undescribed(bare)) >= {"Query.a(y)", "Query.b", "Kind.TWO", "In"}


async def test_columns_that_fields_read_exist(owner_url: str) -> None:
    columns = await columns_of(owner_url)
    for definition, field in declared():
        table = getattr(definition.origin, "__table__", None)
        # What an event shows comes from its payload, not from columns.
        if table in (None, "events"):
            continue
        match field.source:
            case Column(name) | SameRow(name):
                assert name in columns[table], (definition.name, name)
            case Python(needs=needs):
                assert set(needs) <= columns[table], (definition.name, needs)
            case One(key=Of(name)) | Many(key=Of(name)) | Pages(key=Of(name)):
                assert name in columns[table], (definition.name, name)
            case _:
                pass


async def test_sql_of_fields_is_understood_by_postgres(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    for definition, field in declared():
        if isinstance(field.source, Sql):
            table = getattr(definition.origin, "__table__")  # noqa: B009
            await connection.prepare(computed(table, [field.source.expression]))
    await connection.close()


def test_nodes_are_exactly_what_node_finds() -> None:
    node = SCHEMA._schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    kinds = SCHEMA._schema.get_possible_types(node)
    tables = {kind.extensions["strawberry-definition"].origin.__table__ for kind in kinds}
    assert tables == NODES.keys()


def test_every_mutation_but_the_session_ones_takes_an_idempotency_key() -> None:
    mutation = SCHEMA._schema.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        source = field.extensions["strawberry-definition"].source
        assert isinstance(source, Change)
        arguments = field.args["input"].type.of_type.fields if "input" in field.args else field.args
        assert ("idempotencyKey" in arguments) == (name not in SESSIONS) == source.once, name


def test_only_subscriptions_stream() -> None:
    for definition, field in declared():
        assert isinstance(field.source, Stream) == (definition.name == "Subscription")


def test_the_text_of_the_schema_is_the_same_every_time_and_can_be_read() -> None:
    assert sdl() == sdl()
    assert parse(sdl()).definitions


def test_every_scalar_of_ours_says_where_it_is_specified() -> None:
    for name in ("BigInt", "DateTime", "JSON", "URL"):
        assert SCHEMA._schema.type_map[name].specified_by_url  # type: ignore[attr-defined]


async def columns_of(owner_url: str) -> dict[str, set[str]]:
    """The columns of each table."""
    connection = await asyncpg.connect(owner_url)
    rows = await connection.fetch(
        "select table_name, column_name from information_schema.columns where table_schema = 'public'"
    )
    await connection.close()
    columns: dict[str, set[str]] = {}
    for row in rows:
        columns.setdefault(row["table_name"], set()).add(row["column_name"])
    return columns
