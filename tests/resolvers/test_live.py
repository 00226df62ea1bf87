"""The hub and its feeds: order, gaps, late progress, slow readers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from db.connection import Database
from db.embedded import Urls
from resolvers.live import WAITING, Feed, Hub, Message, SlowConsumer, head_of
from tasks.bus import channel, frame
from tests.support import make, pipeline
from tests.tasks.test_bus import relaying, whole_run


def event(seq: int | None, kind: str = "stage.started", stage: str = "s", **payload: Any) -> Message:
    """A message of one stage."""
    return Message(seq, {"type": kind, "image": {"stage": {"id": stage}}, "payload": payload})


async def taken(feed: Feed) -> list[Message]:
    """Everything that waits."""
    messages = []
    while message := await feed.next(0.01):
        messages.append(message)
    return messages


async def test_a_feed_gives_durable_events_once_and_in_order() -> None:
    feed = Feed()
    feed.start(4)
    for seq in (3, 4, 5, 5, 7, 6):
        feed.offer(event(seq))
    assert [message.seq for message in await taken(feed)] == [5, 7]


async def test_progress_of_one_stage_waits_once_and_the_newest_wins() -> None:
    feed = Feed()
    for done in range(10):
        feed.offer(event(None, "analysis.progress", "a", done=done))
        feed.offer(event(None, "analysis.progress", "b", done=done))
    assert [message.body["payload"]["done"] for message in await taken(feed)] == [9, 9]


async def test_progress_that_comes_after_its_stage_has_ended_is_dropped() -> None:
    feed = Feed()
    feed.offer(event(1, "stage.finished"))
    feed.offer(event(None, "analysis.progress"))
    feed.offer(event(None, "analysis.progress", "other"))
    feed.offer(event(2, "stage.started"))
    feed.offer(event(None, "analysis.progress", done=1))
    assert [message.body["type"] for message in await taken(feed)] == [
        "stage.finished",
        "analysis.progress",
        "stage.started",
        "analysis.progress",
    ]


async def test_a_reader_that_does_not_keep_up_is_told_so() -> None:
    feed = Feed()
    for seq in range(WAITING + 1):
        feed.offer(event(seq))
    with pytest.raises(SlowConsumer):
        await feed.next(1)


@asynccontextmanager
async def hubbing(app: Database, services: Urls) -> AsyncIterator[Hub]:
    """A hub at work."""
    hub = Hub(services.redis, app)
    task = asyncio.create_task(hub.run())
    async with asyncio.timeout(10):
        while not hub.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(feed: Feed, kind: str) -> list[Message]:
    """All messages up to the first of a type."""
    messages: list[Message] = []
    while not messages or messages[-1].body["type"] != kind:
        message = await feed.next(10)
        assert message is not None, f"no {kind} came"
        messages.append(message)
    return messages


async def test_what_redis_lost_is_read_from_postgres_in_its_place(
    app: Database, work: Database, services: Urls
) -> None:
    item = await make.media(work, await make.viewer(work))
    async with hubbing(app, services) as hub, hub.join(f"media:{item}") as feed:
        feed.start(await head_of(app))
        async with relaying(work, services), Redis.from_url(services.redis) as redis:
            # Only the last event reaches this hub: whatever was published before is lost to it.
            await hub._pubsub.unsubscribe(channel(f"media:{item}"))  # type: ignore[union-attr]
            await whole_run(work, item)
            async with asyncio.timeout(10):
                while not (newest := await newest_of(work, item)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await hub._pubsub.subscribe(channel(f"media:{item}"))  # type: ignore[union-attr]
            body = orjson.dumps({"type": "video.processed", "image": {}, "payload": {}})
            await redis.publish(channel(f"media:{item}"), frame(newest, newest - 1, body))
        messages = await until(feed, "video.processed")
    assert [message.body["type"] for message in messages] == [
        "analysis.queued",
        "analysis.started",
        "stage.started",
        "stage.finished",
        "analysis.completed",
        "video.processed",
    ]


async def newest_of(work: Database, item: Any) -> int | None:
    """The number of an item's last event, once the relay has published it."""
    async with work.unit_of_work() as unit:
        number: int | None = await unit.value(
            """
            select seq from events, (select published_seq from relay) r
            where media_id = $1 and type = 'video.processed' and seq <= r.published_seq
            """,
            item,
        )
    return number


async def test_topics_of_others_are_not_delivered(app: Database, work: Database, services: Urls) -> None:
    first, second = [await make.media(work, await make.viewer(work)) for _ in range(2)]
    async with hubbing(app, services) as hub, relaying(work, services), hub.join(f"media:{first}") as feed:
        feed.start(await head_of(app))
        await whole_run(work, second)
        await pipeline.launch(work, first)
        messages = await until(feed, "analysis.queued")
    assert [message.body["media_id"] for message in messages] == [str(first)]


async def test_a_hub_without_redis_lives_on_postgres(app: Database, work: Database, services: Urls) -> None:
    hub = Hub("redis://127.0.0.1:1/0", app)
    task = asyncio.create_task(hub.run())
    item = await make.media(work, await make.viewer(work))
    async with hub.join(f"media:{item}") as feed:
        feed.start(await head_of(app))
        async with relaying(work, services):
            await whole_run(work, item)
            assert len(await until(feed, "video.processed")) == 6
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
