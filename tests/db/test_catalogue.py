"""The catalogue: who is here, what they bring, and what is handed out next."""

from uuid import UUID

import pytest

from db import catalogue
from db.catalogue import Definition, WorkerCard
from db.connection import Database, Viewer
from db.errors import InvalidInput
from db.models.fields import uuid7
from tests.support import make, pipeline


async def test_only_stages_that_some_worker_brought_may_be_asked_for(app: Database, work: Database) -> None:
    async with work.unit_of_work() as unit:
        await unit.execute(
            "insert into stage_definitions (name, queue, after, capabilities, media_kinds)"
            " values ('known', 'media', '{}', '{}', '{}') on conflict do nothing"
        )
    async with app.unit_of_work(await make.viewer(work)) as unit:
        await catalogue.check_stages(unit, ["known"])
        for names in ([], ["known", "unknown"]):
            with pytest.raises(InvalidInput):
                await catalogue.check_stages(unit, names)


async def with_worker(work: Database, queue: str, slots: int) -> UUID:
    """A worker of `queue` that has just checked in."""
    card = WorkerCard(uuid7(), queue, slots, "here", 1, uuid7().int % 2**62)
    async with work.unit_of_work() as unit:
        await unit.execute("delete from workers")
        await catalogue.check_in(unit, card, [Definition("probe", queue, (), (), ("VIDEO",))], [])
    return card.id


async def queued(work: Database, owner: Viewer, count: int) -> list[UUID]:
    """That many runs of one owner, first stage READY."""
    return [await pipeline.launch(work, await make.media(work, owner)) for _ in range(count)]


async def first_stages(work: Database, runs: list[UUID]) -> set[UUID]:
    """The ids of the first stages of runs."""
    async with work.unit_of_work() as unit:
        rows = await unit.rows("select id from stages where run_id = any ($1::uuid[])", runs)
    return {row["id"] for row in rows}


async def test_a_queue_is_filled_with_twice_its_slots_and_not_twice_with_the_same(work: Database) -> None:
    await pipeline.nothing_waits(work)
    await with_worker(work, "media", 2)
    waiting = await first_stages(work, await queued(work, await make.viewer(work), 6))
    async with work.unit_of_work() as unit:
        picked = {row["id"] for row in await catalogue.dispatch(unit, 60.0)}
        assert len(picked) == 4
        assert picked < waiting
        assert await catalogue.dispatch(unit, 60.0) == []


async def test_a_workspace_with_much_work_does_not_keep_another_waiting(work: Database) -> None:
    await pipeline.nothing_waits(work)
    await with_worker(work, "media", 2)
    await queued(work, await make.viewer(work), 8)
    late = await first_stages(work, await queued(work, await make.viewer(work), 1))
    async with work.unit_of_work() as unit:
        picked = [row["id"] for row in await catalogue.dispatch(unit, 60.0)]
    assert late <= set(picked[:2])


async def test_premium_work_goes_first(work: Database) -> None:
    """S14."""
    await pipeline.nothing_waits(work)
    await with_worker(work, "media", 1)
    await queued(work, await make.viewer(work), 3)
    paid = await first_stages(work, await queued(work, await make.viewer(work, tier="pro"), 1))
    async with work.unit_of_work() as unit:
        assert {(await catalogue.dispatch(unit, 60.0))[0]["id"]} == paid


async def test_without_a_worker_nothing_is_sent_out(work: Database) -> None:
    await pipeline.nothing_waits(work)
    await with_worker(work, "gpu", 2)
    await queued(work, await make.viewer(work), 1)
    async with work.unit_of_work() as unit:
        assert await catalogue.dispatch(unit, 60.0) == []


async def test_a_key_that_nobody_claimed_is_picked_anew(work: Database) -> None:
    await pipeline.nothing_waits(work)
    await with_worker(work, "media", 1)
    waiting = await first_stages(work, await queued(work, await make.viewer(work), 1))
    async with work.unit_of_work() as unit:
        assert {row["id"] for row in await catalogue.dispatch(unit, 60.0)} == waiting
        await unit.execute("update stages set dispatched_at = now() - interval '61 s' where status = 'READY'")
        assert {row["id"] for row in await catalogue.dispatch(unit, 60.0)} == waiting
