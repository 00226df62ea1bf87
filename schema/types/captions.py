"""Captions: what is said, and when."""

from resolvers.access import ANYONE
from resolvers.compile.source import Column
from schema.fields import field, record
from schema.types.node import Node


@record("One word of a caption.")
class Word:
    """A word and its times."""

    text: str = field(Column("text"), ANYONE, "The word.")
    start_time: float = field(Column("start"), ANYONE, "When it begins, in seconds.")
    end_time: float = field(Column("end"), ANYONE, "When it ends, in seconds.")
    confidence: float | None = field(Column("confidence"), ANYONE, "How sure the engine is, 0 to 1.")


@record("A line of what is said.", table="captions")
class Caption(Node):
    """A caption."""

    text: str = field(Column("text"), ANYONE, "What is said.")
    start_time: float = field(
        Column("start_time"), ANYONE, "When it begins, in seconds on the media's clock."
    )
    end_time: float = field(Column("end_time"), ANYONE, "When it ends, in seconds on the media's clock.")
    language: str | None = field(Column("language"), ANYONE, "Its language's code.")
    confidence: float | None = field(Column("confidence"), ANYONE, "How sure the engine is, 0 to 1.")
    source: str = field(Column("source"), ANYONE, "Which engine heard it, or which track it was read from.")
    words: list[Word] | None = field(Column("words"), ANYONE, "Its words, where the engine gives them.")
