"""The whole schema: everything that can be read, changed and watched."""

from collections.abc import Iterator

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)
from strawberry.schema.config import StrawberryConfig

from schema.fields import record
from schema.scalars import SCALARS
from schema.types.accounts import AccountMutations, AccountQueries
from schema.types.catalogue import CatalogueQueries
from schema.types.events import EVENT_TYPES, EventSubscriptions
from schema.types.media import Audio, Image, MediaQueries, Video
from schema.types.node import NodeQueries
from schema.types.runs import RunMutations, RunQueries
from schema.types.tags import TagQueries
from schema.types.uploads import UploadMutations, UploadQueries


@record("Everything that can be read.")
class Query(
    NodeQueries, AccountQueries, MediaQueries, UploadQueries, RunQueries, TagQueries, CatalogueQueries
):
    """The root of queries."""


@record("Everything that can be changed.")
class Mutation(AccountMutations, UploadMutations, RunMutations):
    """The root of mutations."""


@record("Everything that can be watched.")
class Subscription(EventSubscriptions):
    """The root of subscriptions."""


def build_schema() -> strawberry.Schema:
    """The executable schema; TypeError if anything in it lacks a description."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Video, Image, Audio, *EVENT_TYPES],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    if missing := list(undescribed(schema._schema)):
        raise TypeError(f"These lack a description: {', '.join(missing)}")
    return schema


def sdl() -> str:
    """The schema as text, sorted, the same at every call."""
    return build_schema().as_str() + "\n"


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    """Names of the types, fields, arguments and enum values that lack a description."""
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        if not kind.description:
            yield name
        if isinstance(kind, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, node in kind.values.items() if not node.description)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, node in kind.fields.items():
                if not node.description:
                    yield f"{name}.{field_name}"
                arguments = getattr(node, "args", {})
                yield from (
                    f"{name}.{field_name}({a})" for a, arg in arguments.items() if not arg.description
                )
