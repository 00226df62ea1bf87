"""Runs driven by hand: what a worker does, step by step, with the same calls."""

from uuid import UUID

from db import runs, stages
from db.connection import Database
from db.models.fields import uuid7
from db.runs import NewStage
from db.stages import Claim, Outcome

WORKER = uuid7()


async def launch(work: Database, media_id: UUID) -> UUID:
    """A run in a unit of work of its own."""
    async with work.unit_of_work() as unit:
        return await runs.launch(unit, media_id=media_id)


async def grow(work: Database, run_id: UUID, **after: tuple[str, ...]) -> None:
    """Adds stages named like the keywords, each after those given."""
    async with work.unit_of_work() as unit:
        run = await runs.lock(unit, run_id)
        await runs.grow(
            unit, run, [NewStage(name, "media", ("probe", *names), 60.0, 3) for name, names in after.items()]
        )


async def claim(work: Database, run_id: UUID, name: str, worker: UUID = WORKER) -> Claim | None:
    """Takes a stage by its name."""
    async with work.unit_of_work() as unit:
        stage_id = await unit.value("select id from stages where run_id = $1 and name = $2", run_id, name)
        return await stages.claim(unit, stage_id, worker, 30.0)


async def end(work: Database, held: Claim | None, status: str = "DONE") -> None:
    """Ends a stage that was taken."""
    assert held is not None
    async with work.unit_of_work() as unit:
        await stages.finish(unit, held, Outcome(status, reason=None if status == "DONE" else "because"))


async def status(work: Database, run_id: UUID) -> tuple[str, dict[str, str]]:
    """The status of a run and of each of its stages."""
    async with work.unit_of_work() as unit:
        run = await unit.value("select status from runs where id = $1", run_id)
        rows = await unit.rows("select name, status from stages where run_id = $1", run_id)
    return run, {row["name"]: row["status"] for row in rows}


async def nothing_waits(work: Database) -> None:
    """Takes away what other tests have left to be done."""
    async with work.unit_of_work() as unit:
        await unit.execute("update stages set status = 'CANCELLED' where status in ('READY', 'RUNNING')")
