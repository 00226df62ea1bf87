"""What a document may cost before anybody looks at its meaning: measured in time linear in its length."""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

INTROSPECTION = ("__schema", "__type")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each that a document may have; `fields` counts them with all fragments written out."""

    tokens: int = 1000
    depth: int = 12
    aliases: int = 15
    directives: int = 20
    fragments: int = 50
    fields: int = 2000


def parse_within(text: str, limits: Limits) -> DocumentNode:
    """The parsed document; GraphQLError for bad syntax and for a document beyond its limits."""
    document = parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    _check_counts(document, limits)
    _check_shape(document, limits)
    return document


def _check_counts(document: DocumentNode, limits: Limits) -> None:
    aliases = directives = 0
    nodes: list[Node] = list(document.definitions)
    fragments = sum(isinstance(node, FragmentDefinitionNode) for node in nodes)
    while nodes:
        node = nodes.pop()
        aliases += getattr(node, "alias", None) is not None
        directives += len(getattr(node, "directives", None) or ())
        nodes.extend(getattr(node, "variable_definitions", None) or ())
        nodes.extend(_selections(getattr(node, "selection_set", None)))
    for name, count, limit in (
        ("aliases", aliases, limits.aliases),
        ("directives", directives, limits.directives),
        ("fragments", fragments, limits.fragments),
    ):
        if count > limit:
            raise GraphQLError(f"This document has too many {name}: {limit} are allowed.")


def _check_shape(document: DocumentNode, limits: Limits) -> None:
    shapes = _Shapes(document, limits)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            try:
                shape = shapes.of(definition.selection_set, 0)
            except RecursionError:
                raise shapes.too_deep() from None
            if shape.fields > limits.fields:
                raise GraphQLError(
                    f"With its fragments written out this document has too many fields: "
                    f"{limits.fields} are allowed."
                )


@dataclass(frozen=True, slots=True)
class _Shape:
    depth: int = 0
    fields: int = 0

    def beside(self, other: "_Shape") -> "_Shape":
        return _Shape(max(self.depth, other.depth), self.fields + other.fields)


class _Shapes:
    """The shapes of selection sets; each fragment is measured once, however often it is spread."""

    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, _Shape | None] = {}

    def of(self, selection_set: SelectionSetNode | None, level: int) -> _Shape:
        """The shape of a selection set that stands `level` fields deep."""
        shape = _Shape()
        for node in _selections(selection_set):
            if isinstance(node, FieldNode):
                shape = shape.beside(self._of_field(node, level + 1))
            elif isinstance(node, InlineFragmentNode):
                shape = shape.beside(self.of(node.selection_set, level))
            elif isinstance(node, FragmentSpreadNode):
                shape = shape.beside(self._of_fragment(node.name.value, level))
        return shape

    def too_deep(self) -> GraphQLError:
        """The refusal of a document nested too deeply."""
        return GraphQLError(f"This document is nested too deeply: {self._limits.depth} levels are allowed.")

    def _of_field(self, node: FieldNode, level: int) -> _Shape:
        # Introspection nests deeply by nature and has its own rule among the validation rules.
        if node.name.value in INTROSPECTION:
            return _Shape()
        if level > self._limits.depth:
            raise self.too_deep()
        below = self.of(node.selection_set, level)
        return _Shape(below.depth + 1, below.fields + 1)

    def _of_fragment(self, name: str, level: int) -> _Shape:
        if name not in self._definitions:
            return _Shape()
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self.of(self._definitions[name].selection_set, level)
        shape = self._known[name]
        if shape is None:
            raise GraphQLError(f'Fragment "{name}" contains itself.')
        if level + shape.depth > self._limits.depth:
            raise self.too_deep()
        return shape


def _selections(selection_set: SelectionSetNode | None) -> tuple[Node, ...]:
    return selection_set.selections if selection_set else ()
