"""What every object with an id of its own has in common."""

import strawberry

from resolvers.access import ANYONE
from resolvers.compile.source import GlobalId, Python
from resolvers.node import node, nodes
from schema.fields import field, interface, record


@interface("An object with an id of its own, under which it can be fetched again.")
class Node:
    """Anything `node` finds."""

    id: strawberry.ID = field(GlobalId(), ANYONE, "Its global id: opaque, and the same for ever.")


@record("Reading anything by its id.")
class NodeQueries:
    """Nodes at the root."""

    node: Node | None = field(
        Python(node), ANYONE, "Anything by its id; null if there is no such thing for you."
    )
    nodes: list[Node | None] = field(
        Python(nodes),
        ANYONE,
        "Several things by their ids, in the same order; null in place of what is missing.",
    )
