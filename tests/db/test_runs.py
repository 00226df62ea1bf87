"""Runs: launched once at a time, grown after probing, finalized exactly once."""

import asyncio

import pytest

from db import runs
from db.connection import Database
from db.errors import Conflict, NotFound
from db.models.fields import uuid7
from db.runs import final_status
from tests.support import make, pipeline


async def test_a_launch_queues_the_item_with_its_first_stage_ready(work: Database) -> None:
    item = await make.media(work, await make.viewer(work))
    run = await pipeline.launch(work, item)
    assert await pipeline.status(work, run) == ("QUEUED", {"probe": "READY"})
    async with work.unit_of_work() as unit:
        media = await unit.row("select status, latest_run_id from media where id = $1", item)
    assert media is not None
    assert tuple(media) == ("QUEUED", run)


async def test_a_second_launch_waits_for_the_first_to_end_and_gets_the_next_number(work: Database) -> None:
    item = await make.media(work, await make.viewer(work))
    first = await pipeline.launch(work, item)
    with pytest.raises(Conflict):
        await pipeline.launch(work, item)
    await pipeline.end(work, await pipeline.claim(work, first, "probe"))
    second = await pipeline.launch(work, item)
    async with work.unit_of_work() as unit:
        numbers = await unit.rows("select id, number from runs where media_id = $1 order by number", item)
    assert [tuple(row) for row in numbers] == [(first, 1), (second, 2)]


async def test_an_item_without_bytes_or_without_existence_cannot_be_launched(work: Database) -> None:
    item = await make.media(work, await make.viewer(work), status="UPLOADING")
    with pytest.raises(Conflict):
        await pipeline.launch(work, item)
    with pytest.raises(NotFound):
        await pipeline.launch(work, uuid7())


async def test_a_stage_becomes_ready_when_all_before_it_have_ended_however_they_ended(work: Database) -> None:
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    probe = await pipeline.claim(work, run, "probe")
    await pipeline.grow(work, run, audio=(), captions=("audio",), tags=("captions", "frames"), frames=())
    await pipeline.end(work, probe)
    _, stages = await pipeline.status(work, run)
    assert stages["audio"] == stages["frames"] == "READY"
    assert stages["captions"] == stages["tags"] == "WAITING"
    await pipeline.end(work, await pipeline.claim(work, run, "audio"), "SKIPPED")
    await pipeline.end(work, await pipeline.claim(work, run, "captions"), "FAILED")
    assert (await pipeline.status(work, run))[1]["tags"] == "WAITING"
    await pipeline.end(work, await pipeline.claim(work, run, "frames"))
    assert (await pipeline.status(work, run))[1]["tags"] == "READY"


async def test_members_that_end_together_finalize_their_run_once(work: Database) -> None:
    """D4: the last of many siblings is found by the row lock, not by chance."""
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    probe = await pipeline.claim(work, run, "probe")
    names = [f"s{number}" for number in range(8)]
    await pipeline.grow(work, run, **dict.fromkeys(names, ()))
    await pipeline.end(work, probe)
    held = [await pipeline.claim(work, run, name) for name in names]
    await asyncio.gather(*(pipeline.end(work, one) for one in held))
    assert (await pipeline.status(work, run))[0] == "ANALYZED"
    async with work.unit_of_work() as unit:
        ends = await unit.value(
            "select count(*) from events where run_id = $1 and type = 'video.processed'", run
        )
        left = await unit.value("select left_n from runs where id = $1", run)
    assert (ends, left) == (1, 0)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"probe": "DONE", "audio": "SKIPPED"}, "ANALYZED"),
        ({"probe": "DONE", "audio": "DONE", "tags": "SKIPPED"}, "ANALYZED"),
        ({"probe": "DONE", "audio": "DONE", "tags": "FAILED"}, "PARTIALLY_ANALYZED"),
        ({"probe": "DONE", "audio": "DONE", "tags": "DEAD"}, "PARTIALLY_ANALYZED"),
        ({"probe": "DONE", "audio": "FAILED", "tags": "SKIPPED"}, "FAILED"),
        ({"probe": "FAILED"}, "FAILED"),
    ],
)
def test_the_final_status_follows_from_the_members(members: dict[str, str], expected: str) -> None:
    """D5."""
    assert final_status(list(members.items())) == expected


async def test_a_cancelled_run_stops_what_waits_and_fences_what_runs(work: Database) -> None:
    item = await make.media(work, await make.viewer(work))
    run = await pipeline.launch(work, item)
    probe = await pipeline.claim(work, run, "probe")
    await pipeline.grow(work, run, audio=())
    async with work.unit_of_work() as unit:
        await runs.cancel(unit, run)
    assert await pipeline.status(work, run) == ("CANCELLED", {"probe": "CANCELLED", "audio": "CANCELLED"})
    from db.stages import FenceLost

    with pytest.raises(FenceLost):
        await pipeline.end(work, probe)
    with pytest.raises(Conflict):
        async with work.unit_of_work() as unit:
            await runs.cancel(unit, run)
