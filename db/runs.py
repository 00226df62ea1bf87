"""Runs: how one is launched, grows its stages, ends, or is cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from db.catalogue import check_stages
from db.connection import Row, Unit
from db.errors import Conflict, NotFound
from db.events import (
    AnalysisCancelled,
    AnalysisCompleted,
    AnalysisFailed,
    AnalysisQueued,
    MediaProcessed,
    StageFinished,
)
from db.outbox import emit

FIRST = "probe"
ENDED = ("DONE", "SKIPPED", "FAILED", "DEAD", "CANCELLED")
READY_CHANNEL = "stages"
"""Postgres tells this channel when stages become READY, so that the dispatcher need not poll."""


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage to add to a run; `skipped` is the reason why it ends before it begins."""

    name: str
    queue: str
    after: Sequence[str]
    timeout_seconds: float
    max_attempts: int
    shard: str = ""
    skipped: str | None = None


async def launch(
    unit: Unit,
    *,
    media_id: UUID,
    stages: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    correlation_id: str | None = None,
    arrived: bool = False,
) -> UUID:
    """Makes the next run of a media item with its first stage READY; the run's id.

    `arrived`: its bytes have just come in. NotFound for an unknown item, InvalidInput for unknown stages,
    Conflict while the bytes are missing or another run is at work.
    """
    media = await unit.row("select * from media where id = $1 for no key update", media_id)
    if media is None:
        raise NotFound("There is no such media item.", ["mediaId"])
    if media["status"] in ("QUEUED", "PROCESSING") or (media["status"] == "UPLOADING" and not arrived):
        raise Conflict(f"The item is {media['status']}; wait until that has ended.", ["mediaId"])
    if stages is not None:
        await check_stages(unit, stages)
    run = await unit.row(
        """
        insert into runs (workspace_id, media_id, number, wanted_stages, wanted_models, left_n, premium,
                          correlation_id)
        select $1, $2, coalesce(max(number), 0) + 1, $3, $4, 1,
               coalesce((select tier <> 'free' from accounts where user_id = $6), false), $5
        from runs where media_id = $2
        returning *
        """,
        media["workspace_id"],
        media_id,
        stages,
        models,
        correlation_id,
        media["owner_id"],
    )
    assert run is not None
    await unit.execute(
        """
        insert into stages (workspace_id, media_id, run_id, name, queue, after, status)
        values ($1, $2, $3, $4, 'media', '{}', 'READY')
        """,
        media["workspace_id"],
        media_id,
        run["id"],
        FIRST,
    )
    await unit.execute(
        "update media set status = 'QUEUED', latest_run_id = $2 where id = $1", media_id, run["id"]
    )
    await emit(
        unit,
        AnalysisQueued(
            workspace_id=media["workspace_id"], media_id=media_id, run_id=run["id"], number=run["number"]
        ),
    )
    await wake_dispatcher(unit)
    run_id: UUID = run["id"]
    return run_id


async def wake_dispatcher(unit: Unit) -> None:
    """Tells the dispatcher, at commit, that something is READY."""
    await unit.execute("select pg_notify($1, '')", READY_CHANNEL)


async def grow(unit: Unit, run: Row, stages: Sequence[NewStage]) -> None:
    """Adds stages to a run (repeating it adds nothing) and counts those that have yet to end."""
    added = await unit.rows(
        """
        insert into stages (workspace_id, media_id, run_id, name, shard, queue, after, timeout_seconds,
                            max_attempts, status, reason, finished_at)
        select $1, $2, $3, new.name, new.shard, new.queue,
               coalesce(string_to_array(nullif(new.after, ''), ','), '{}'), new.timeout, new.attempts,
               case when new.skipped is null then 'WAITING' else 'SKIPPED' end,
               new.skipped, case when new.skipped is null then null else now() end
        from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::float[], $9::int[], $10::text[])
             as new(name, shard, queue, after, timeout, attempts, skipped)
        on conflict (run_id, name, shard) do nothing
        returning id, name, shard, status, reason
        """,
        run["workspace_id"],
        run["media_id"],
        run["id"],
        [stage.name for stage in stages],
        [stage.shard for stage in stages],
        [stage.queue for stage in stages],
        [",".join(stage.after) for stage in stages],
        [stage.timeout_seconds for stage in stages],
        [stage.max_attempts for stage in stages],
        [stage.skipped for stage in stages],
    )
    waiting = sum(row["status"] == "WAITING" for row in added)
    await unit.execute("update runs set left_n = left_n + $2 where id = $1", run["id"], waiting)
    for row in added:
        if row["status"] == "SKIPPED":
            await emit(
                unit,
                StageFinished(
                    workspace_id=run["workspace_id"],
                    media_id=run["media_id"],
                    run_id=run["id"],
                    stage=row["name"],
                    shard=row["shard"],
                    status="SKIPPED",
                    reason=row["reason"],
                ),
                row["id"],
            )


async def lock(unit: Unit, run_id: UUID) -> Row:
    """The run, locked: siblings that end together take turns, so exactly one of them is the last."""
    run = await unit.row("select * from runs where id = $1 for no key update", run_id)
    if run is None:
        raise NotFound("There is no such run.", ["runId"])
    return run


async def release(unit: Unit, run_id: UUID) -> None:
    """Makes READY what waited only for stages that have ended."""
    ready = await unit.execute(
        """
        update stages s set status = 'READY' where s.run_id = $1 and s.status = 'WAITING' and not exists (
          select from stages p where p.run_id = s.run_id and p.name = any (s.after)
          and p.status <> all ($2::text[]))
        """,
        run_id,
        ENDED,
    )
    if ready:
        await wake_dispatcher(unit)


async def count_down(unit: Unit, run_id: UUID) -> None:
    """One stage less to wait for; the last one gives the run and its media their final status."""
    left = await unit.value("update runs set left_n = left_n - 1 where id = $1 returning left_n", run_id)
    if left == 0:
        await finalize(unit, run_id)


async def finalize(unit: Unit, run_id: UUID) -> None:
    """Sets the final status by the rule of `final_status`, and says so."""
    members = await unit.rows("select name, status, reason from stages where run_id = $1", run_id)
    status = final_status([(row["name"], row["status"]) for row in members])
    run = await unit.row(
        "update runs set status = $2, finished_at = now()"
        " where id = $1 and status in ('QUEUED', 'PROCESSING') returning *",
        run_id,
        status,
    )
    if run is None:
        return
    await unit.execute("update media set status = $2 where id = $1", run["media_id"], status)
    about = {"workspace_id": run["workspace_id"], "media_id": run["media_id"], "run_id": run_id}
    if status == "FAILED":
        reasons = [row["reason"] for row in members if row["status"] in ("FAILED", "DEAD") and row["reason"]]
        await emit(unit, AnalysisFailed(**about, reason=reasons[0] if reasons else "No stage gave a result."))
    else:
        await emit(unit, AnalysisCompleted(**about, status=status))
    await emit(unit, MediaProcessed(**about, status=status))


def final_status(members: Sequence[tuple[str, str]]) -> str:
    """ANALYZED: every stage DONE or SKIPPED. FAILED: the first stage failed, or nothing but it is DONE."""
    if all(status in ("DONE", "SKIPPED") for _, status in members):
        return "ANALYZED"
    done = {name for name, status in members if status == "DONE"}
    return "PARTIALLY_ANALYZED" if FIRST in done and len(done) > 1 else "FAILED"


async def cancel(unit: Unit, run_id: UUID) -> None:
    """Stops a run: what waits never starts, what runs loses its fence and is killed at the next beat."""
    run = await lock(unit, run_id)
    if run["status"] not in ("QUEUED", "PROCESSING"):
        raise Conflict(f"The run has ended already: it is {run['status']}.", ["runId"])
    await unit.execute(
        """
        update stages set status = 'CANCELLED', fence = fence + 1, finished_at = now(), lease_until = null,
               reason = 'The run was cancelled.'
        where run_id = $1 and status <> all ($2::text[])
        """,
        run_id,
        ENDED,
    )
    await unit.execute(
        "update runs set status = 'CANCELLED', cancel_requested_at = now(), finished_at = now(), left_n = 0"
        " where id = $1",
        run_id,
    )
    await unit.execute("update media set status = 'CANCELLED' where id = $1", run["media_id"])
    await emit(
        unit,
        AnalysisCancelled(
            workspace_id=run["workspace_id"], media_id=run["media_id"], run_id=run_id, number=run["number"]
        ),
    )
