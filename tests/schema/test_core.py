"""The schema against the names that frontends, dashboards and partners rely on."""

from pathlib import Path

from graphql import (
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    parse,
    print_ast,
)

from schema.root import sdl

Fields = dict[str, tuple[str, dict[str, str]]]


def fields(node: TypeDefinitionNode) -> Fields:
    """The fields of a type: each with its type, and its arguments with type and default."""
    if isinstance(node, InputObjectTypeDefinitionNode):
        return {field.name.value: (argument(field), {}) for field in node.fields or ()}
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        return {field.name.value: (print_ast(field.type), arguments(field)) for field in node.fields or ()}
    return {}


def arguments(field: FieldDefinitionNode) -> dict[str, str]:
    return {each.name.value: argument(each) for each in field.arguments or ()}


def argument(node: InputValueDefinitionNode) -> str:
    default = f" = {print_ast(node.default_value)}" if node.default_value else ""
    return print_ast(node.type) + default


def types(text: str) -> dict[str, TypeDefinitionNode]:
    return {node.name.value: node for node in parse(text).definitions if isinstance(node, TypeDefinitionNode)}


CORE = types((Path(__file__).parent / "core.graphql").read_text())
OURS = types(sdl())
SHARED = sorted(CORE.keys() & OURS.keys())

NOT_YET = {
    "Audio": {"authenticity", "duplicates", "similar", "subtitlesUrl"},
    "Image": {"authenticity", "duplicates", "similar"},
    "Media": {"authenticity", "duplicates", "similar"},
    "Mutation": {"createClip", "replayStage", "retryFailed"},
    "Query": {"cluster", "clusters", "estimate", "search", "tiers"},
    "Run": {"results"},
    "Subscription": {"captionAdded", "clusterChanged"},
    "Video": {"authenticity", "clips", "cluster", "duplicates", "highlights", "similar", "subtitlesUrl"},
    "VideoFilter": {"clusterId", "minConfidence", "model", "verdict"},
    "Viewer": {"budget", "tier", "usage"},
}


def test_every_field_that_the_core_names_has_its_type_and_arguments() -> None:
    wrong = [
        (name, field, ours, core)
        for name in SHARED
        for field, ours in fields(OURS[name]).items()
        if (core := fields(CORE[name]).get(field)) is not None and ours != core
    ]
    assert not wrong


def test_nothing_of_a_type_we_have_is_missing_but_what_is_known_to_be() -> None:
    missing = {name: fields(CORE[name]).keys() - fields(OURS[name]).keys() for name in SHARED}
    expected = {name: names for name, names in NOT_YET.items() if name in OURS}
    assert {name: names for name, names in missing.items() if names} == expected


def test_enums_have_no_value_that_the_core_lacks() -> None:
    for name in SHARED:
        core, ours = CORE[name], OURS[name]
        if isinstance(core, EnumTypeDefinitionNode) and isinstance(ours, EnumTypeDefinitionNode):
            assert {v.name.value for v in ours.values or ()} <= {v.name.value for v in core.values or ()}, (
                name
            )


def test_types_are_of_the_same_sort_and_implement_the_same_interfaces() -> None:
    for name in SHARED:
        core, ours = CORE[name], OURS[name]
        assert core.kind == ours.kind, name
        if isinstance(core, ObjectTypeDefinitionNode) and isinstance(ours, ObjectTypeDefinitionNode):
            assert {i.name.value for i in core.interfaces or ()} == {
                i.name.value for i in ours.interfaces or ()
            }, name
