"""Vectors of segments, each with its text or frame and the model whose space it lives in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.connection import Unit
from db.stages import Claim


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a media item and its vector (float32, length 1)."""

    start_time: float | None
    end_time: float | None
    source_text: str | None
    vector: Any


async def replace(
    unit: Unit, held: Claim, kind: str, model: str, version: str, segments: Sequence[Segment]
) -> None:
    """Makes `segments` the vectors of a run in one model's space, and that space searchable."""
    if segments:
        await unit.value("select ensure_vector_index($1, $2, $3)", model, version, len(segments[0].vector))
    await unit.connection.executemany(
        """
        insert into embeddings (workspace_id, media_id, run_id, kind, ordinal, start_time, end_time,
                                source_text, model, model_version, vector)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (run_id, model, model_version, kind, ordinal) do update set
          start_time = excluded.start_time, end_time = excluded.end_time,
          source_text = excluded.source_text, vector = excluded.vector
        """,
        [
            (
                held.workspace_id,
                held.media_id,
                held.run_id,
                kind,
                ordinal,
                segment.start_time,
                segment.end_time,
                segment.source_text,
                model,
                version,
                segment.vector,
            )
            for ordinal, segment in enumerate(segments)
        ],
    )
    await unit.execute(
        """
        delete from embeddings
        where run_id = $1 and model = $2 and model_version = $3 and kind = $4 and ordinal >= $5
        """,
        held.run_id,
        model,
        version,
        kind,
        len(segments),
    )
