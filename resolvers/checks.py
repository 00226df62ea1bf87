"""Rules of single values that GraphQL's types cannot say; refusals name arguments as clients write them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from strawberry.utils.str_converters import to_camel_case

from db import ids
from db.errors import InvalidInput, NotFound


def storable(value: Any, path: tuple[str, ...] = ()) -> None:
    """Refuses text that Postgres cannot keep: with a NUL, or with half a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value or not _encodes(value):
            raise InvalidInput("This text has characters that cannot be stored.", path)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            storable(getattr(value, field.name), (*path, to_camel_case(field.name)))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            storable(item, (*path, to_camel_case(name)))
    elif isinstance(value, list | tuple):
        for item in value:
            storable(item, path)


def text(value: str, path: Sequence[str], *, longest: int, least: int = 1) -> str:
    """The text without space around it, between `least` and `longest` characters."""
    value = value.strip()
    if not least <= len(value) <= longest:
        raise InvalidInput(f"This has between {least} and {longest} characters.", path)
    return value


def row_id(table: str, global_id: str, path: tuple[str, ...]) -> UUID:
    """The key in a global id of `table`; NotFound for anything else."""
    try:
        return ids.decode(table, global_id)
    except NotFound:
        raise NotFound("There is nothing with this id here.", path) from None


def point(latitude: float, longitude: float, path: Sequence[str]) -> tuple[float, float]:
    """A place on Earth, in degrees."""
    within(latitude, -90, 90, (*path, "latitude"))
    within(longitude, -180, 180, (*path, "longitude"))
    return latitude, longitude


def within(value: float, least: float, most: float, path: Sequence[str]) -> float:
    """A finite number between two others."""
    if not (math.isfinite(value) and least <= value <= most):
        raise InvalidInput(f"This is a number between {least} and {most}.", path)
    return value


def period(start: datetime | None, end: datetime | None, path: Sequence[str]) -> None:
    """A stretch of time does not end before it begins."""
    if start and end and end < start:
        raise InvalidInput("This ends before it begins.", (*path, "to"))


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
