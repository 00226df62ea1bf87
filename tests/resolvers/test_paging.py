"""Windows and cursors; paging through real lists in both directions."""

import base64
import json
from typing import Any

import pytest

from db.connection import Database
from db.errors import InvalidInput
from resolvers.compile.source import Order
from resolvers.paging import DEFAULT_SIZE, MAX_SIZE, Window, read_cursor, window, write_cursor
from tests.support import make, rows
from tests.support.graphql import Api

ORDER = Order((("t.created_at", "timestamptz"), ("t.id", "uuid")), descending=True)
KEYS = ("2026-11-20 18:57:30.12+00", "01a1faab-15d4-725b-b19e-be59fba11312")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_neither_first_nor_last_is_a_page_of_the_default_size() -> None:
    assert window({}, ORDER) == Window(DEFAULT_SIZE)


def test_last_reads_from_the_end() -> None:
    assert window({"last": 3}, ORDER) == Window(3, backward=True)


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        ({"first": 1, "last": 1}, "last"),
        ({"first": -1}, "first"),
        ({"last": -1}, "last"),
        ({"first": MAX_SIZE + 1}, "first"),
        ({"after": "no cursor"}, "after"),
        ({"before": ""}, "before"),
    ],
)
def test_broken_rules_are_named(arguments: dict[str, Any], about: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        window(arguments, ORDER)
    assert refused.value.path == [about]


def test_a_cursor_is_its_plain_values_and_comes_back() -> None:
    cursor = write_cursor(KEYS)
    assert json.loads(base64.urlsafe_b64decode(cursor + "==")) == list(KEYS)
    assert read_cursor(cursor, ORDER) == KEYS


@pytest.mark.parametrize(
    "cursor",
    [
        "%%%",
        "é",
        encoded({"a": 1}),
        encoded([]),
        encoded([KEYS[0]]),
        encoded([*KEYS, "1"]),
        encoded([KEYS[0], "1; drop table media"]),
        encoded(["yesterday", KEYS[1]]),
        encoded([None, KEYS[1]]),
        encoded([1, 2]),
        encoded([["a"], ["b"]]),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
    ],
)
def test_what_is_no_cursor_of_the_order_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        window({"after": cursor}, ORDER)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int4", "12", "99999999999"),
        ("float8", "1.5e3", "one"),
        ("text", "straße", "a\0b"),
        ("text", "x", "\ud800"),
        ("timestamptz", "-infinity", "infinity-and-more"),
    ],
)
def test_values_are_checked_by_their_type(kind: str, good: str, bad: str) -> None:
    order = Order((("x", kind),))
    assert read_cursor(encoded([good]), order) == (good,)
    with pytest.raises(ValueError):
        read_cursor(encoded([bad]), order)


PAGE = """
query($first: Int, $after: String, $last: Int, $before: String, $order: VideoOrder!) {
  videos(first: $first, after: $after, last: $last, before: $before, order: $order) {
    nodes { id } edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
  }
}
"""


@pytest.mark.parametrize("order", ["NEWEST", "OLDEST", "RECORDED", "LONGEST"])
async def test_a_list_read_in_pages_is_the_same_forwards_and_backwards(
    api: Api, work: Database, order: str
) -> None:
    ada = await make.viewer(work)
    keys = [await make.media(work, ada) for _ in range(7)]
    # Some are of unknown date and duration, two are equal: they come last, and none is lost.
    for place, seconds in enumerate((5.0, 9.5, 9.5)):
        await rows.metadata(work, keys[place], duration_seconds=seconds)
    whole = [node["id"] for node in (await api(PAGE, ada, first=100, order=order))["videos"]["nodes"]]
    assert len(whole) == 7
    for size in ("first", "last"):
        assert await walk(api, ada, order, size) == whole


async def walk(api: Api, viewer: Any, order: str, size: str) -> list[str]:
    """All ids of a list, read three at a time from one of its ends."""
    found: list[str] = []
    place: dict[str, Any] = {}
    while True:
        page = (await api(PAGE, viewer, order=order, **{size: 3}, **place))["videos"]
        ids = [edge["node"]["id"] for edge in page["edges"]]
        info = page["pageInfo"]
        assert page["totalCount"] == 7
        assert [info["startCursor"], info["endCursor"]] == [
            page["edges"][0]["cursor"],
            page["edges"][-1]["cursor"],
        ]
        forwards = size == "first"
        found = found + ids if forwards else ids + found
        assert info["hasPreviousPage" if forwards else "hasNextPage"] == bool(place)
        if not info["hasNextPage" if forwards else "hasPreviousPage"]:
            return found
        place = {"after": info["endCursor"]} if forwards else {"before": info["startCursor"]}


async def test_both_ends_can_be_given(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    for _ in range(5):
        await make.media(work, ada)
    edges = (await api(PAGE, ada, order="OLDEST"))["videos"]["edges"]
    between = {"after": edges[0]["cursor"], "before": edges[4]["cursor"], "order": "OLDEST"}
    page = (await api(PAGE, ada, **between))["videos"]
    assert page["edges"] == edges[1:4]
    assert page["pageInfo"]["hasNextPage"] is False
    assert page["pageInfo"]["hasPreviousPage"] is True


async def test_a_page_of_none_says_whether_there_are_any(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    empty = (await api(PAGE, ada, first=0, order="NEWEST"))["videos"]
    assert empty["pageInfo"]["hasNextPage"] is False
    await make.media(work, ada)
    page = (await api(PAGE, ada, first=0, order="NEWEST"))["videos"]
    assert page["nodes"] == []
    assert page["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_a_broken_cursor_is_a_coded_error(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    answer = await api.try_(PAGE, ada, after="nonsense", order="NEWEST")
    assert answer.codes == ["INVALID_INPUT"]


async def test_more_than_ten_thousand_are_not_counted(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    async with work.unit_of_work() as unit:
        await unit.execute(
            """
            insert into media (workspace_id, owner_id, filename, object_key)
            select $1, $2, 'x', 'x' from generate_series(1, 10000)
            """,
            ada.workspace_id,
            ada.user_id,
        )
    assert (await api(PAGE, ada, order="NEWEST"))["videos"]["totalCount"] == 10_000
    await make.media(work, ada)
    answer = await api.try_(PAGE, ada, order="NEWEST")
    assert answer.data["videos"]["totalCount"] is None
    # Nor does Postgres count them: the statement stops at one more.
    assert any("limit 10001" in sql for sql in answer.statements)
