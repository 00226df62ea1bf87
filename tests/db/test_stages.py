"""Stages: one holder at a time, leases, fences, attempts, and effects that happen once."""

import asyncio

import pytest

from db import stages
from db.connection import Database
from db.models.fields import uuid7
from db.stages import Claim, CostLine, FenceLost, Outcome
from tests.support import make, pipeline


async def running(work: Database) -> Claim:
    """A first stage that somebody has taken."""
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    held = await pipeline.claim(work, run, "probe")
    assert held is not None
    return held


async def test_of_many_workers_exactly_one_gets_a_stage(work: Database) -> None:
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    claims = await asyncio.gather(*(pipeline.claim(work, run, "probe", uuid7()) for _ in range(10)))
    assert len([one for one in claims if one]) == 1


async def test_who_lost_the_fence_changes_nothing(work: Database) -> None:
    held = await running(work)
    async with work.unit_of_work() as unit:
        await unit.execute("update stages set lease_until = now() - interval '1 s' where id = $1", held.id)
        assert await stages.take_back(unit, []) >= 1
    async with work.unit_of_work() as unit:
        assert not await stages.beat(unit, held, 30)
    costs = [CostLine("openai", "describe", 1, "call", 500)]
    with pytest.raises(FenceLost):
        async with work.unit_of_work() as unit:
            await stages.finish(unit, held, Outcome("DONE", costs=costs))
    async with work.unit_of_work() as unit:
        assert await unit.value("select count(*) from cost_entries where stage_id = $1", held.id) == 0


async def test_a_dead_worker_gives_its_stage_back_and_after_three_deaths_it_is_dead(work: Database) -> None:
    held = await running(work)
    for attempt in (1, 2, 3):
        worker = uuid7()
        async with work.unit_of_work() as unit:
            await unit.execute("update stages set worker_id = $2 where id = $1", held.id, worker)
            await stages.take_back(unit, [worker])
            row = await unit.row("select status, attempt from stages where id = $1", held.id)
        assert row is not None
        assert row["attempt"] == attempt
        if attempt < 3:
            assert row["status"] == "READY"
            assert await pipeline.claim(work, held.run_id, "probe")
    assert await pipeline.status(work, held.run_id) == ("FAILED", {"probe": "DEAD"})


async def test_a_returned_stage_keeps_its_attempt_and_waits_for_its_time(work: Database) -> None:
    held = await running(work)
    async with work.unit_of_work() as unit:
        await stages.retry(unit, held, "The host went away.", delay=60, counted=False)
        row = await unit.row("select status, attempt, reason from stages where id = $1", held.id)
    assert row is not None
    assert tuple(row) == ("READY", 0, "The host went away.")
    assert await pipeline.claim(work, held.run_id, "probe") is None


async def test_costs_of_a_stage_are_added_to_its_run_once(work: Database) -> None:
    held = await running(work)
    async with work.unit_of_work() as unit:
        line = CostLine("openai", "describe", 1200, "tokens", 700)
        await stages.finish(unit, held, Outcome("DONE", costs=[line, line]))
        assert await unit.value("select cost_micros from runs where id = $1", held.run_id) == 700
        assert await unit.value("select count(*) from cost_entries where run_id = $1", held.run_id) == 1


async def test_a_claim_whose_answer_was_lost_is_made_again_without_another_attempt(work: Database) -> None:
    held = await running(work)
    again = await pipeline.claim(work, held.run_id, "probe")
    assert again is not None
    assert (again.attempt, again.fence) == (held.attempt, held.fence + 1)
    assert await pipeline.claim(work, held.run_id, "probe", uuid7()) is None
