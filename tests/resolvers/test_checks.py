"""Rules of single values."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from db.errors import InvalidInput, NotFound
from db.models.fields import uuid7
from resolvers import checks


@dataclass
class Inner:
    some_text: str | None = None


@dataclass
class Outer:
    inner: Inner
    texts: list[str]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": "x\0"}, ["a"]),
        ({"a": ["fine", "\ud800"]}, ["a"]),
        ({"input": Outer(Inner("\0"), [])}, ["input", "inner", "someText"]),
        ({"input": Outer(Inner(), ["\udfff"])}, ["input", "texts"]),
    ],
)
def test_text_that_cannot_be_stored_is_found_wherever_it_is(value: Any, path: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        checks.storable(value)
    assert refused.value.path == path


def test_all_other_values_can_be_stored() -> None:
    checks.storable({"a": [1, None, 2.5, "é😀", datetime.now(UTC)], "b": Outer(Inner("ok"), ["ok"])})


def test_text_is_stripped_and_measured() -> None:
    assert checks.text("  a b ", ["x"], longest=3) == "a b"
    for bad in ("", "   ", "abcd"):
        with pytest.raises(InvalidInput):
            checks.text(bad, ["x"], longest=3)


@pytest.mark.parametrize(
    ("latitude", "longitude", "wrong"),
    [
        (90.1, 0, "latitude"),
        (float("nan"), 0, "latitude"),
        (0, -180.1, "longitude"),
        (0, float("inf"), "longitude"),
    ],
)
def test_a_place_is_on_earth(latitude: float, longitude: float, wrong: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checks.point(latitude, longitude, ["near"])
    assert refused.value.path == ["near", wrong]


def test_a_period_does_not_run_backwards() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    checks.period(early, late, ["recorded"])
    checks.period(early, None, ["recorded"])
    with pytest.raises(InvalidInput):
        checks.period(late, early, ["recorded"])


def test_the_key_of_a_row_is_in_its_global_id() -> None:
    key = uuid7()
    assert checks.row_id("runs", f"runs_{key}", ("id",)) == key
    for other in (f"media_{key}", "runs_1", ""):
        with pytest.raises(NotFound) as refused:
            checks.row_id("runs", other, ("id",))
        assert refused.value.path == ["id"]
