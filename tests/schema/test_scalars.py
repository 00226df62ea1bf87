"""Scalars: what goes over the wire, and what is refused on the way in."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLError

from schema.scalars import read_big_int, read_datetime, read_url, write_datetime


def test_an_instant_is_written_in_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))
    assert write_datetime(datetime(2026, 11, 20, 20, 57, 30, 120_000, east)) == "2026-11-20T18:57:30.120Z"
    assert write_datetime(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


def test_an_instant_from_postgres_json_is_written_the_same() -> None:
    assert write_datetime("2026-11-20T18:57:30.12+00:00") == "2026-11-20T18:57:30.120Z"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-20T18:57:30.120Z", "2026-11-20T18:57:30.120Z"),
        ("2026-11-20t18:57:30z", "2026-11-20T18:57:30.000Z"),
        ("2026-11-20T18:57:30.1239Z", "2026-11-20T18:57:30.123Z"),
        ("2026-11-20T23:57:30+05:00", "2026-11-20T18:57:30.000Z"),
    ],
)
def test_rfc_3339_is_read(text: str, written: str) -> None:
    assert write_datetime(read_datetime(text)) == written


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20",
        "2026-11-20T18:57:30",
        "2026-11-20 18:57:30Z",
        "2026-13-20T18:57:30Z",
        "2026-02-30T18:57:30Z",
        "2026-11-20T18:57:60Z",
        "2026-11-20T18:57:30+25:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "2026-W47-5T18:57:30Z",
        "２０２６-11-20T18:57:30Z",
        1_700_000_000,
        None,
    ],
)
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_datetime(value)


@pytest.mark.parametrize("value", [0, -1, 2**53 - 1, -(2**53) + 1, 5.0])
def test_integers_that_numbers_hold_exactly_pass(value: float) -> None:
    assert read_big_int(value) == value


@pytest.mark.parametrize("value", [2**53, -(2**53), 1e300, 1.5, float("nan"), float("inf"), "1", True, None])
def test_other_numbers_are_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        read_big_int(value)


def test_only_absolute_web_addresses_are_urls() -> None:
    assert read_url("https://example.org/a?b") == "https://example.org/a?b"
    for value in ("file:///etc/passwd", "/relative", "javascript:alert(1)", "http://", "http://[", 1):
        with pytest.raises(GraphQLError):
            read_url(value)
