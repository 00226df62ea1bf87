"""Workers and control together: from a queued run to its end, through every way a stage can end."""

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from db import runs
from db.connection import Database
from db.embedded import Urls
from inference.capabilities import EngineBroke, HostGone, Unavailable
from tasks.media.limits import MediaRefused
from tasks.pipeline import Media, Refused, Result, Run, Skip, Work
from tests.support import make, pipeline, system


@pytest_asyncio.fixture(autouse=True)
async def _alone(work: Database) -> None:
    await pipeline.nothing_waits(work)


async def nothing(work: Work, media: Media) -> Result:
    """A stage without work."""
    return Result({})


def failing(error: Exception, times: int = 1000) -> tuple[list[int], Run]:
    """A stage that raises `error` in its first `times` attempts; and the attempts it saw."""
    attempts: list[int] = []

    async def run(work: Work, media: Media) -> Result:
        attempts.append(work.claim.attempt)
        if len(attempts) <= times:
            raise error
        return Result({})

    return attempts, run


async def reason_of(work: Database, run_id: object, name: str) -> tuple[str | None, str | None]:
    """Reason and code of a stage."""
    async with work.unit_of_work() as unit:
        row = await unit.row(
            "select reason, error_code from stages where run_id = $1 and name = $2", run_id, name
        )
    assert row is not None
    return row["reason"], row["error_code"]


async def test_a_queued_run_is_dispatched_worked_on_and_finalized(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    async def second(work: Work, media: Media) -> Result:
        assert work.left["probe"] == {"found": 1}
        await work.progress(1, 2)
        return Result({}, engine="test")

    async def first(work: Work, media: Media) -> Result:
        return Result({"found": 1})

    stages = {"probe": system.declared(first, "probe"), "second": system.declared(second, "second")}
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        run = await pipeline.launch(work, item)
        assert await system.ended(work, run) == ("ANALYZED", {"probe": "DONE", "second": "DONE"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Skip("No audio."), "SKIPPED", None),
        (Unavailable("No model here."), "SKIPPED", None),
        (Refused("CHECKSUM", "Another file."), "FAILED", "CHECKSUM"),
        (MediaRefused("PLAYLIST", "A playlist."), "FAILED", "PLAYLIST"),
        (EngineBroke("Bad weights.", transient=False), "FAILED", "ENGINE"),
    ],
)
async def test_an_ending_that_another_attempt_cannot_change_comes_after_one(
    work: Database, services: Urls, tmp_path: Path, error: Exception, status: str, code: str | None
) -> None:
    attempts, run_stage = failing(error)
    stages = {"probe": system.declared(nothing, "probe"), "second": system.declared(run_stage, "second")}
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        run = await pipeline.launch(work, item)
        _, found = await system.ended(work, run)
    assert found["second"] == status
    assert attempts == [1]
    assert await reason_of(work, run, "second") == (str(error), code)


async def test_what_may_pass_is_tried_again(work: Database, services: Urls, tmp_path: Path) -> None:
    attempts, run_stage = failing(EngineBroke("Busy.", transient=True), times=1)
    stages = {"probe": system.declared(nothing, "probe"), "second": system.declared(run_stage, "second")}
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        run = await pipeline.launch(work, item)
        assert (await system.ended(work, run))[0] == "ANALYZED"
    assert attempts == [1, 2]


async def test_an_attempt_is_given_back_when_a_host_went_away(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    attempts, run_stage = failing(HostGone("killed", running=False), times=3)
    stages = {"probe": system.declared(nothing, "probe"), "second": system.declared(run_stage, "second")}
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        run = await pipeline.launch(work, item)
        assert (await system.ended(work, run))[0] == "ANALYZED"
    assert attempts == [1] * 4


async def test_a_bug_in_a_stage_fails_it_and_tells_nothing_of_its_insides(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    _, run_stage = failing(ValueError("postgres://secret"))
    stages = {"probe": system.declared(nothing, "probe"), "second": system.declared(run_stage, "second")}
    item = await make.media(work, await make.viewer(work))
    one = system.worker(work, services, tmp_path, stages)
    one.options = one.options.model_copy(update={"max_attempts": 1})
    async with system.running(work, services, one):
        run = await pipeline.launch(work, item)
        await system.ended(work, run)
    reason, code = await reason_of(work, run, "second")
    assert code == "INTERNAL"
    assert reason is not None
    assert "ValueError" in reason
    assert "secret" not in reason


async def test_a_cancelled_run_stops_its_running_stage(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless(work: Work, media: Media) -> Result:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    item = await make.media(work, await make.viewer(work))
    stages = {"probe": system.declared(endless, "probe")}
    async with (
        system.running(work, services, system.worker(work, services, tmp_path, stages)),
        asyncio.timeout(10),
    ):
        run = await pipeline.launch(work, item)
        await begun.wait()
        async with work.unit_of_work() as unit:
            await runs.cancel(unit, run)
        await stopped.wait()
    assert await pipeline.status(work, run) == ("CANCELLED", {"probe": "CANCELLED"})


async def test_a_worker_that_is_stopped_gives_its_stage_back_without_an_attempt(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def endless(work: Work, media: Media) -> Result:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    item = await make.media(work, await make.viewer(work))
    first = system.worker(work, services, tmp_path / "1", {"probe": system.declared(endless, "probe")})
    async with system.running(work, services, first), asyncio.timeout(10):
        run = await pipeline.launch(work, item)
        await begun.wait()
    async with work.unit_of_work() as unit:
        row = await unit.row("select status, attempt from stages where run_id = $1", run)
    assert row is not None
    assert tuple(row) == ("READY", 0)
    second = system.worker(work, services, tmp_path / "2", {"probe": system.declared(nothing, "probe")})
    async with system.running(work, services, second):
        assert (await system.ended(work, run))[0] == "ANALYZED"


async def test_a_stage_whose_deadline_passes_fails_with_that_reason(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    async def endless(work: Work, media: Media) -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    item = await make.media(work, await make.viewer(work))
    slow = system.declared(endless, "probe")
    async with system.running(work, services, system.worker(work, services, tmp_path, {"probe": slow})):
        run = await pipeline.launch(work, item)
        async with work.unit_of_work() as unit:
            await unit.execute("update stages set timeout_seconds = 0.3 where run_id = $1", run)
        await system.ended(work, run)
    reason, code = await reason_of(work, run, "probe")
    assert code == "TIMEOUT"
    assert reason == "It took longer than 0.3 seconds and was stopped."


@pytest.mark.drill
async def test_keys_lost_with_redis_are_sent_again(work: Database, services: Urls, tmp_path: Path) -> None:
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, {})) as _:
        pass
    stages = {"probe": system.declared(nothing, "probe")}
    run = await pipeline.launch(work, item)
    async with work.unit_of_work() as unit:
        # As if a key had been sent to a Redis that has since been wiped.
        await unit.execute("update stages set dispatched_at = now() where run_id = $1", run)
    async with Redis.from_url(services.redis) as redis:
        await redis.flushall()
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        assert (await system.ended(work, run, 10))[0] == "ANALYZED"


async def test_a_stage_fans_out_to_every_model_of_its_capability_or_is_skipped(
    work: Database, services: Urls, tmp_path: Path
) -> None:
    """D3: shards are made when probing ends, from the models that live workers have."""
    async with work.unit_of_work() as unit:
        for name in ("m1", "m2"):
            await unit.execute(
                """
                insert into models (name, version, capability, media_kinds)
                values ($1, '1', 'detect_fake', '{VIDEO}') on conflict do nothing
                """,
                name,
            )
    stages = {
        "probe": system.declared(nothing, "probe"),
        "doubt": system.declared(nothing, "doubt", fan_out="detect_fake"),
        "dream": system.declared(nothing, "dream", fan_out="dream_up"),
    }
    item = await make.media(work, await make.viewer(work))
    async with system.running(work, services, system.worker(work, services, tmp_path, stages)):
        run = await pipeline.launch(work, item)
        assert (await system.ended(work, run))[0] == "ANALYZED"
    async with work.unit_of_work() as unit:
        rows = await unit.rows(
            "select name, shard, status from stages where run_id = $1 and name <> 'probe' order by 1, 2", run
        )
    assert [tuple(row) for row in rows] == [
        ("doubt", "m1", "DONE"),
        ("doubt", "m2", "DONE"),
        ("dream", "", "SKIPPED"),
    ]
