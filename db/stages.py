"""Stages: taken by one worker at a time, kept by a lease, ended once; the fence decides who may write."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from db import runs
from db.connection import Row, Unit
from db.events import AnalysisStarted, StageFinished, StageRetried, StageStarted
from db.outbox import emit

Write = Callable[[Unit], Awaitable[None]]


class FenceLost(Exception):
    """Somebody else holds the stage now, or it was cancelled: whatever was done counts for nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A stage in this worker's hands."""

    id: UUID
    run_id: UUID
    media_id: UUID
    workspace_id: UUID
    name: str
    shard: str
    attempt: int
    max_attempts: int
    fence: int
    timeout_seconds: float
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one call cost; `call` makes it unique within its stage."""

    service: str
    call: str
    units: float
    unit: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stage ended, and what must be written in the same transaction."""

    status: str
    engine: str | None = None
    reason: str | None = None
    error_code: str | None = None
    result: dict[str, Any] | None = None
    writes: Sequence[Write] = ()
    costs: Sequence[CostLine] = field(default=())


async def claim(unit: Unit, stage_id: UUID, worker_id: UUID, lease_seconds: float) -> Claim | None:
    """Takes a READY stage: attempt and fence go up, a lease begins. None: somebody else has it.

    A stage that is this worker's already is taken once more: Postgres broke off before it could say so.
    """
    # Run before stage, as everywhere: two that lock in one order cannot wait for each other.
    await unit.execute(
        "select from runs where id = (select run_id from stages where id = $1) for no key update", stage_id
    )
    row = await unit.row(
        """
        update stages s set status = 'RUNNING', fence = fence + 1, worker_id = $2,
               attempt = attempt + case s.status when 'READY' then 1 else 0 end,
               lease_until = now() + make_interval(secs => $3), started_at = coalesce(s.started_at, now()),
               done = 0, total = null, reason = null
        from runs r
        where s.id = $1 and r.id = s.run_id and (
          s.status = 'READY' and (s.not_before is null or s.not_before <= now())
          or s.status = 'RUNNING' and s.worker_id = $2)
        returning s.*, r.status as run_status, r.number, r.correlation_id
        """,
        stage_id,
        worker_id,
        lease_seconds,
    )
    if row is None:
        return None
    if row["run_status"] == "QUEUED":
        await _start_run(unit, row)
    await emit(
        unit,
        StageStarted(**_about(row), stage=row["name"], shard=row["shard"], attempt=row["attempt"]),
        row["id"],
    )
    return Claim(**{name: row[name] for name in Claim.__slots__})


async def _start_run(unit: Unit, row: Row) -> None:
    """The first claim of a run starts it."""
    await unit.execute(
        "update runs set status = 'PROCESSING', started_at = coalesce(started_at, now()) where id = $1",
        row["run_id"],
    )
    await unit.execute("update media set status = 'PROCESSING' where id = $1", row["media_id"])
    await emit(unit, AnalysisStarted(**_about(row), number=row["number"]))


async def beat(unit: Unit, held: Claim, lease_seconds: float) -> bool:
    """Extends the lease; False when the fence is lost."""
    return bool(
        await unit.execute(
            "update stages set lease_until = now() + make_interval(secs => $3)"
            " where id = $1 and fence = $2 and status = 'RUNNING'",
            held.id,
            held.fence,
            lease_seconds,
        )
    )


async def finish(unit: Unit, held: Claim, outcome: Outcome) -> None:
    """Ends a stage once: its result, what it wrote, its costs, and the run's count, all or nothing.

    Raises FenceLost when the stage is no longer ours.
    """
    await runs.lock(unit, held.run_id)
    row = await unit.row(
        """
        update stages set status = $3, finished_at = now(), lease_until = null, engine = $4, reason = $5,
               error_code = $6, result = $7, cost_micros = cost_micros + $8,
               done = case when $3 = 'DONE' then coalesce(total, greatest(done, 1)) else done end,
               total = case when $3 = 'DONE' then coalesce(total, greatest(done, 1)) else total end
        where id = $1 and fence = $2 and status = 'RUNNING' returning *
        """,
        held.id,
        held.fence,
        outcome.status,
        outcome.engine,
        outcome.reason,
        outcome.error_code,
        outcome.result,
        sum(cost.amount_micros for cost in outcome.costs),
    )
    if row is None:
        raise FenceLost(held.name)
    for write in outcome.writes:
        await write(unit)
    await _pay(unit, held, outcome.costs)
    await _ended(unit, row)


async def _pay(unit: Unit, held: Claim, costs: Sequence[CostLine]) -> None:
    """Writes what calls cost, each once, and adds them to the run."""
    for cost in costs:
        await unit.execute(
            """
            with paid as (
              insert into cost_entries (workspace_id, media_id, run_id, stage_id, service, call, units, unit,
                                        amount_micros)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
              on conflict (stage_id, service, call) do nothing returning amount_micros
            )
            update runs set cost_micros = cost_micros + paid.amount_micros from paid where id = $3
            """,
            held.workspace_id,
            held.media_id,
            held.run_id,
            held.id,
            cost.service,
            f"{held.attempt}:{cost.call}",
            cost.units,
            cost.unit,
            cost.amount_micros,
        )


async def _ended(unit: Unit, row: Row) -> None:
    """What every end has in common: the event, then those who waited, then the run's count."""
    await emit(
        unit,
        StageFinished(
            **_about(row),
            stage=row["name"],
            shard=row["shard"],
            status=row["status"],
            engine=row["engine"],
            reason=row["reason"],
        ),
        row["id"],
    )
    await runs.release(unit, row["run_id"])
    await runs.count_down(unit, row["run_id"])


async def retry(
    unit: Unit,
    held: Claim,
    reason: str,
    *,
    delay: float,
    counted: bool,
    costs: Sequence[CostLine] = (),
) -> None:
    """Gives a stage back to be taken again after `delay` seconds; `counted=False` returns the attempt.

    What the attempt cost is paid all the same. Raises FenceLost.
    """
    row = await unit.row(
        """
        update stages set status = 'READY', lease_until = null, dispatched_at = null, reason = $3,
               not_before = now() + make_interval(secs => $4), attempt = attempt - $5::int
        where id = $1 and fence = $2 and status = 'RUNNING' returning *
        """,
        held.id,
        held.fence,
        reason,
        delay,
        0 if counted else 1,
    )
    if row is None:
        raise FenceLost(held.name)
    await _pay(unit, held, costs)
    await _retried(unit, row, held.attempt)


async def _retried(unit: Unit, row: Row, attempt: int) -> None:
    await emit(
        unit,
        StageRetried(
            **_about(row), stage=row["name"], shard=row["shard"], attempt=attempt, reason=row["reason"]
        ),
        row["id"],
    )
    await runs.wake_dispatcher(unit)


async def take_back(unit: Unit, dead_workers: Sequence[UUID]) -> int:
    """Frees stages whose lease is over or whose worker is dead; those out of attempts are DEAD. How many."""
    lost = await unit.rows(
        """
        select id, run_id from stages where status = 'RUNNING'
        and (lease_until < now() or worker_id = any ($1::uuid[]))
        """,
        dead_workers,
    )
    for stage in lost:
        await runs.lock(unit, stage["run_id"])
        row = await unit.row(
            """
            update stages set lease_until = null, dispatched_at = null, fence = fence + 1,
                   status = case when attempt >= max_attempts then 'DEAD' else 'READY' end,
                   finished_at = case when attempt >= max_attempts then now() end,
                   error_code = case when attempt >= max_attempts then 'WORKER_LOST' end,
                   reason = case when attempt >= max_attempts
                     then 'Its worker died ' || attempt || ' times; it is not tried again.'
                     else 'Its worker died; it is taken again.' end
            where id = $1 and status = 'RUNNING' and (lease_until < now() or worker_id = any ($2::uuid[]))
            returning *
            """,
            stage["id"],
            dead_workers,
        )
        if row is not None:
            await (_ended(unit, row) if row["status"] == "DEAD" else _retried(unit, row, row["attempt"]))
    return len(lost)


async def results(unit: Unit, run_id: UUID) -> dict[str, dict[str, Any]]:
    """What the DONE stages of a run have left for the others, by name."""
    rows = await unit.rows(
        "select name, result from stages where run_id = $1 and status = 'DONE' and result is not null", run_id
    )
    return {row["name"]: row["result"] for row in rows}


def _about(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("workspace_id", "media_id", "run_id")}
