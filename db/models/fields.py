"""The column types every table shares: time-ordered ids, millisecond instants, vectors."""

import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import Field
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model


def uuid7() -> UUID:
    """A time-ordered id (RFC 9562): 48 bits of milliseconds, then random bits."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


class Instant(fields.DatetimeField[datetime]):
    """A point in time kept to the millisecond, so that SQL and Python render it the same."""

    class _db_postgres:
        SQL_TYPE = "TIMESTAMPTZ(3)"


class Text(Field[str]):
    """A text column (Tortoise's own refuses unique); limits are rules of the noun, not of the column."""

    SQL_TYPE = "TEXT"
    field_type = str


class Vector(Field[Sequence[float]]):
    """A pgvector column without fixed dimensions: models of different sizes share one table."""

    SQL_TYPE = "vector"
    field_type = list

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> Any:
        """pgvector's codec takes any sequence of floats."""
        return value


class TextArray(Field[list[str]]):
    """A `text[]` column."""

    SQL_TYPE = "text[]"
    field_type = list

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> Any:
        """Sequences go as they are."""
        return value


def key() -> Any:
    """The primary key of every table: a uuidv7, made by Postgres where Python does not."""
    return fields.UUIDField(primary_key=True, default=uuid7, db_default=SqlDefault("uuidv7()"))


def now() -> Any:
    """An instant set by Postgres at insertion: only its clock decides."""
    return Instant(db_default=SqlDefault("now()"))


def count(start: int = 0) -> Any:
    """An integer that starts at `start`."""
    return fields.IntField(default=start, db_default=start)


def micros() -> Any:
    """Money in integer micro-dollars."""
    return fields.BigIntField(default=0, db_default=0)


def document(*, null: bool = False) -> Any:
    """A `jsonb` column."""
    return fields.JSONField(null=null)


def owned(table: str, *, null: bool = False, one: bool = False) -> Any:
    """A reference that goes when what it points to goes; `one`: at most one row points there."""
    relation: Any = fields.OneToOneField if one else fields.ForeignKeyField
    return relation(f"vidura.{table}", related_name=False, on_delete=fields.CASCADE, null=null)


def workspace() -> Any:
    """The owner of a row: row-level security rests on this column."""
    return owned("Workspace")
