"""The relay: every committed event gets its number and reaches Redis, in order, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from db.connection import Database
from db.embedded import Urls
from db.events import AnalysisProgress
from db.outbox import emit_progress
from db.stages import Claim
from settings import as_role
from tasks.bus import Relay, channel, unframe
from tests.support import make, pipeline


@asynccontextmanager
async def relaying(work: Database, services: Urls) -> AsyncIterator[None]:
    """A relay at work."""
    connection = await asyncpg.connect(as_role(services.database, "vidura_work"))
    async with Redis.from_url(services.redis) as redis:
        relay = Relay(work, redis)
        await relay.listen(connection)
        task = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await connection.close()


@asynccontextmanager
async def hearing(services: Urls, topic: str) -> AsyncIterator["Heard"]:
    """A plain Redis subscriber of one topic."""
    async with Redis.from_url(services.redis) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(channel(topic))
        assert await pubsub.get_message(timeout=5)
        yield Heard(pubsub)


class Heard:
    """Reads frames until a type has come."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def until(self, last: str) -> list[tuple[int, int | None, dict[str, Any]]]:
        """All frames up to the first of type `last`."""
        frames: list[tuple[int, int | None, dict[str, Any]]] = []
        async with asyncio.timeout(10):
            while not frames or frames[-1][2]["type"] != last:
                message = await self._pubsub.get_message(timeout=10)
                frames.append(unframe(message["data"]))
        return frames


async def whole_run(work: Database, item: Any) -> Claim:
    """A run from launch to its end; its only stage's claim."""
    run = await pipeline.launch(work, item)
    held = await pipeline.claim(work, run, "probe")
    assert held is not None
    await pipeline.end(work, held)
    return held


TYPES = ["analysis.queued", "analysis.started", "stage.started", "stage.finished", "analysis.completed"]


async def test_events_come_in_the_order_of_their_commits_with_rising_numbers(
    work: Database, services: Urls
) -> None:
    item = await make.media(work, await make.viewer(work))
    async with relaying(work, services), hearing(services, f"media:{item}") as heard:
        await whole_run(work, item)
        frames = await heard.until("video.processed")
    assert [body["type"] for _, _, body in frames] == [*TYPES, "video.processed"]
    assert all(prev == before for (before, _, _), (_, prev, _) in pairwise(frames))
    assert all(after > before for (before, _, _), (after, _, _) in pairwise(frames))


async def test_an_event_carries_the_rows_as_they_were_when_it_happened(
    work: Database, services: Urls
) -> None:
    item = await make.media(work, await make.viewer(work))
    async with relaying(work, services), hearing(services, f"media:{item}") as heard:
        await whole_run(work, item)
        frames = await heard.until("video.processed")
    started = next(body["image"] for _, _, body in frames if body["type"] == "stage.started")
    assert started["stage"]["status"] == "RUNNING"
    assert started["media"]["status"] == "PROCESSING"
    assert frames[-1][2]["image"]["media"]["status"] == "ANALYZED"


async def test_events_of_a_time_without_a_leader_are_published_by_the_next(
    work: Database, services: Urls
) -> None:
    item = await make.media(work, await make.viewer(work))
    await whole_run(work, item)
    async with hearing(services, f"media:{item}") as heard, relaying(work, services):
        frames = await heard.until("video.processed")
    assert [body["type"] for _, _, body in frames] == [*TYPES, "video.processed"]


async def test_progress_keeps_its_place_between_start_and_end(work: Database, services: Urls) -> None:
    item = await make.media(work, await make.viewer(work))
    async with relaying(work, services), hearing(services, f"media:{item}") as heard:
        run = await pipeline.launch(work, item)
        held = await pipeline.claim(work, run, "probe")
        assert held is not None
        for done in (1, 2, 3):
            event = AnalysisProgress(
                workspace_id=held.workspace_id,
                media_id=item,
                run_id=run,
                stage="probe",
                done=done,
                total=3,
            )
            async with work.unit_of_work() as unit:
                await emit_progress(unit, event, held.id, held.fence, done, 3)
        await pipeline.end(work, held)
        frames = await heard.until("stage.finished")
    types = [body["type"] for _, _, body in frames]
    assert types[types.index("stage.started") :] == [
        "stage.started",
        *["analysis.progress"] * 3,
        "stage.finished",
    ]
    assert [prev for _, prev, body in frames if body["type"] == "analysis.progress"] == [None] * 3


async def test_progress_of_a_lost_fence_is_not_told(work: Database) -> None:
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    held = await pipeline.claim(work, run, "probe")
    assert held is not None
    event = AnalysisProgress(
        workspace_id=held.workspace_id, media_id=held.media_id, run_id=run, stage="probe", done=1
    )
    async with work.unit_of_work() as unit:
        await emit_progress(unit, event, held.id, held.fence - 1, 1, None)
        assert await unit.value("select done from stages where id = $1", held.id) == 0


@pytest.mark.drill
async def test_while_redis_is_away_events_wait_and_none_is_lost(work: Database, services: Urls) -> None:
    item = await make.media(work, await make.viewer(work))
    connection = await asyncpg.connect(as_role(services.database, "vidura_work"))
    gone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    away = Relay(work, gone)
    await away.listen(connection)
    task = asyncio.create_task(away.run())
    await whole_run(work, item)
    done, _ = await asyncio.wait([task], timeout=1.5)
    assert not done
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()
    await gone.aclose()
    async with hearing(services, f"media:{item}") as heard, relaying(work, services):
        frames = await heard.until("video.processed")
    assert [body["type"] for _, _, body in frames] == [*TYPES, "video.processed"]
