"""Runs and their stages: reading how far they are, launching and stopping them."""

from typing import Annotated, Any

import strawberry

from db import media, runs
from db.connection import Unit
from resolvers.checks import row_id
from resolvers.compile.reads import Row
from resolvers.compile.source import ById, Many, Of, One, Order, Pages
from resolvers.context import Context
from schema.inputs.runs import AnalyzeInput

RUN = One("runs", ById("The run's id."))
LATEST_RUN = One("runs", Of("latest_run_id"))
MEDIA = One("media", Of("media_id"))
RUNS_OF_MEDIA = Pages(
    "runs",
    Of("id", "t.media_id = {key}"),
    Order((("t.number", "int4"), ("t.id", "uuid")), descending=True),
)
STAGES = Many("stages", Of("id", "t.run_id = {key}"), order="t.id")

PROGRESS = """
    case when t.finished_at is not null then 1.0
         else coalesce((
           select avg(case when s.finished_at is not null then 1.0
                           when s.total > 0 then least(1.0, s.done::float8 / s.total) else 0.0 end)
           from stages s where s.run_id = t.id), 0.0)
    end::float8
"""
# Straight on from what has been done so far; too early to tell before a twentieth is.
ETA = f"""
    case when t.finished_at is null and t.started_at is not null then (
      select extract(epoch from now() - t.started_at)::float8 * (1 - p) / p
      from (select ({PROGRESS}) as p) so_far where p >= 0.05) end
"""


def stage_progress(stage: Row, context: Context) -> float:
    """How far a stage is, 0 to 1; from its own columns, so that an event shows what was so then."""
    if stage["finished_at"] is not None:
        return 1.0
    return min(1.0, stage["done"] / stage["total"]) if stage["total"] else 0.0


async def analyze(
    unit: Unit, context: Context, input: Annotated[AnalyzeInput, "What to analyse."]
) -> dict[str, Any]:
    """Launches another run of an item."""
    media_id = row_id("media", input.media_id, ("mediaId",))
    await media.check_bytes(unit, media_id)
    run_id = await runs.launch(
        unit,
        media_id=media_id,
        stages=input.stages,
        models=input.models,
        correlation_id=context.request_id or None,
    )
    return {"run": run_id}


async def cancel_run(
    unit: Unit, context: Context, run_id: Annotated[strawberry.ID, "The run to stop."]
) -> dict[str, Any]:
    """Stops a run."""
    key = row_id("runs", run_id, ("runId",))
    await runs.cancel(unit, key)
    return {"run": key}
