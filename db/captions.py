"""Captions: what a run heard, written ordinal by ordinal so that a retry replaces instead of adding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.connection import Unit
from db.events import CaptionsAdded
from db.outbox import emit
from db.stages import Claim


@dataclass(frozen=True, slots=True)
class Line:
    """One caption: times in seconds on the media's clock, words where the engine gives them."""

    text: str
    start_time: float
    end_time: float
    confidence: float | None = None
    words: Sequence[Mapping[str, Any]] | None = None


async def replace(unit: Unit, held: Claim, lines: Sequence[Line], language: str | None, source: str) -> None:
    """Makes `lines` the captions of a run: same ordinals are overwritten, those beyond the last go."""
    await unit.connection.executemany(
        """
        insert into captions (workspace_id, media_id, run_id, shard, ordinal, text, start_time, end_time,
                              language, confidence, source, words)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (run_id, shard, ordinal) do update set text = excluded.text,
          start_time = excluded.start_time, end_time = excluded.end_time, language = excluded.language,
          confidence = excluded.confidence, source = excluded.source, words = excluded.words
        """,
        [
            (
                held.workspace_id,
                held.media_id,
                held.run_id,
                held.shard,
                ordinal,
                line.text,
                line.start_time,
                line.end_time,
                language,
                line.confidence,
                source,
                line.words,
            )
            for ordinal, line in enumerate(lines)
        ],
    )
    await unit.execute(
        "delete from captions where run_id = $1 and shard = $2 and ordinal >= $3",
        held.run_id,
        held.shard,
        len(lines),
    )
    await emit(
        unit,
        CaptionsAdded(
            workspace_id=held.workspace_id,
            media_id=held.media_id,
            run_id=held.run_id,
            count=len(lines),
            language=language,
        ),
        held.id,
    )


async def of_run(unit: Unit, run_id: UUID) -> list[Line]:
    """The captions a run has written, in order of time."""
    rows = await unit.rows(
        "select text, start_time, end_time from captions where run_id = $1 order by start_time, id", run_id
    )
    return [Line(row["text"], row["start_time"], row["end_time"]) for row in rows]
