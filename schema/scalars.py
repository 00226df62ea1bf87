"""The scalars of the API: how each is written on the wire, and what is refused on the way in."""

import re
from datetime import UTC, datetime
from typing import Any, NewType
from urllib.parse import urlsplit

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
URL = NewType("URL", str)
JSON = NewType("JSON", object)

SAFE = 2**53
RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


def write_datetime(value: datetime | str) -> str:
    """RFC 3339 in UTC, always with milliseconds and `Z`; takes text as Postgres writes it in JSON, too."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def read_datetime(value: object) -> datetime:
    """An instant with its offset, as RFC 3339 has it; the part below a millisecond is dropped."""
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise GraphQLError("A DateTime is text like 2026-11-20T18:57:30.120Z, with an offset.")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"There is no such instant: {value[:40]}.") from None
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def read_big_int(value: object) -> int:
    """An integer that every client's numbers hold exactly; a float only if it is whole."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise GraphQLError("A BigInt is an integer, written as a number.")
    if abs(value) >= SAFE:
        raise GraphQLError("A BigInt lies between -(2^53 - 1) and 2^53 - 1.")
    return value


def read_url(value: object) -> str:
    """An absolute http(s) URL."""
    if isinstance(value, str):
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme in ("http", "https") and parts.hostname:
            return value
    raise GraphQLError("A URL is absolute and begins with http:// or https://.")


def _same(value: Any) -> Any:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, always with milliseconds: `2026-11-20T18:57:30.120Z`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_datetime,
        parse_value=read_datetime,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="An integer between -(2^53 - 1) and 2^53 - 1, always a JSON number.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=read_big_int,
        parse_value=read_big_int,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute http or https URL.",
        specified_by_url="https://url.spec.whatwg.org/",
        serialize=str,
        parse_value=read_url,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value; its fields are not selected but come as they are.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_same,
        parse_value=_same,
    ),
}
"""What the schema reads and writes for each annotation; handed to Strawberry's configuration."""
