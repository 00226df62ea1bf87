"""Limits: what a document may be, decided in time linear in its length."""

import time

import pytest
from graphql import GraphQLError, get_introspection_query

from graphql_api.limits import Limits, parse_within

LIMITS = Limits()


def refusal(text: str, limits: Limits = LIMITS) -> str:
    with pytest.raises(GraphQLError) as refused:
        parse_within(text, limits)
    return refused.value.message


def nested(levels: int) -> str:
    return "{" + "a {" * (levels - 1) + "a" + "}" * levels


def doubling(generations: int) -> str:
    """Each fragment stands for the next one twice: 2^generations fields in a few hundred bytes."""
    links = [f"fragment F{n} on Q {{ a {{ ...F{n + 1} }} b {{ ...F{n + 1} }} }}" for n in range(generations)]
    return f"{{ ...F0 }} {' '.join(links)} fragment F{generations} on Q {{ a }}"


@pytest.mark.parametrize(
    ("at_the_limit", "beyond", "text"),
    [
        ("{" + "a " * 998 + "}", "{" + "a " * 999 + "}", "1000 tokens"),
        (nested(12), nested(13), "12 levels"),
        (
            "{" + " ".join(f"a{n}: a" for n in range(15)) + "}",
            "{" + " ".join(f"a{n}: a" for n in range(16)) + "}",
            "15 are allowed",
        ),
        ("{a " + "@skip(if: true)" * 20 + "}", "{a " + "@skip(if: true)" * 21 + "}", "20 are allowed"),
        (
            "{a}" + "".join(f"fragment F{n} on Q {{a}}" for n in range(50)),
            "{a}" + "".join(f"fragment F{n} on Q {{a}}" for n in range(51)),
            "50 are allowed",
        ),
    ],
    ids=["tokens", "depth", "aliases", "directives", "fragments"],
)
def test_a_document_may_reach_its_limit_but_not_pass_it(at_the_limit: str, beyond: str, text: str) -> None:
    parse_within(at_the_limit, LIMITS)
    assert text in refusal(beyond)


@pytest.mark.parametrize(
    "place",
    [
        "query @d {a}",
        "query($v: Int @d) {a}",
        "{a @d}",
        "{... @d {a}}",
        "{...F @d} fragment F on Q {a}",
        "{...F} fragment F on Q @d {a}",
    ],
)
def test_directives_count_wherever_they_stand(place: str) -> None:
    parse_within(place, Limits(directives=1))
    assert "directives" in refusal(place, Limits(directives=0))


@pytest.mark.parametrize(
    "text",
    [
        "{a {...F}} fragment F on Q {b {c}}",
        "{a {... on Q {... {b {c}}}}}",
        "{...F ...G} fragment G on Q {a {...F}} fragment F on Q {b {c}}",
        "query Shallow {a} query Deep {a {b {c}}}",
        "mutation {a {b {c}}}",
    ],
)
def test_depth_is_counted_through_fragments_and_in_every_operation(text: str) -> None:
    parse_within(text, Limits(depth=3))
    assert "too deeply" in refusal(text, Limits(depth=2))


def test_a_fragment_measured_where_it_is_shallow_is_still_too_deep_where_it_is_deep() -> None:
    fragment = "fragment F on Q {b {c}}"
    parse_within(f"{{...F a {{...F}}}} {fragment}", Limits(depth=3))
    assert "too deeply" in refusal(f"{{...F a {{a {{...F}}}}}} {fragment}", Limits(depth=3))


@pytest.mark.parametrize(
    "text",
    [
        "{...A} fragment A on Q {...A}",
        "{...A} fragment A on Q {a {...B}} fragment B on Q {b {...A}}",
    ],
)
def test_a_fragment_may_not_contain_itself(text: str) -> None:
    assert "contains itself" in refusal(text)


def test_a_chain_of_fragments_is_no_cycle() -> None:
    parse_within("{...A ...B} fragment A on Q {...B ...B} fragment B on Q {a}", LIMITS)


def test_introspection_does_not_count_as_depth() -> None:
    parse_within(get_introspection_query(type_depth=9), LIMITS)
    parse_within('{ __type(name: "Q") {' + "ofType {" * 20 + "name" + "}" * 22, LIMITS)


@pytest.mark.parametrize(
    ("attack", "text"),
    [
        (doubling(12), "too deeply"),
        (doubling(11), "too many fields"),
        (doubling(24), "too deeply"),
        (
            "{"
            + "...F0 " * 2
            + "}"
            + "".join(f"fragment F{n} on Q {{...F{n + 1} ...F{n + 1}}}" for n in range(49))
            + "fragment F49 on Q {a b}",
            "too many fields",
        ),
        (nested(5000), "too deeply"),
        ("{" + "...{" * 300 + "a" + "}" * 301, "too deeply"),
        ("{" + " ".join(f"a{n}: a" for n in range(1000)) + "}", "tokens"),
        ("{" + "__typename " * 5000 + "}", "tokens"),
        ("{a " + "@skip(if: true) " * 2000 + "}", "tokens"),
        ("{a(x: " + "[" * 100_000, "too deeply"),
        ("{a(x: " + "[" * 400 + "]" * 400 + ")}", "too deeply"),
        ("#\n" * 100_000 + "{a}", "comments"),
    ],
    ids=lambda value: value[:30],
)
def test_an_attack_is_refused_with_one_clear_error_at_once(attack: str, text: str) -> None:
    started = time.perf_counter()
    message = refusal(attack)
    assert time.perf_counter() - started < 0.2
    assert text in message
