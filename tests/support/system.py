"""Control and one worker in this process, on the session's services, with stages of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from db.connection import Database
from db.embedded import Urls
from db.local_store import LocalStore
from inference.calling import Capabilities
from inference.options import Options
from settings import Media as MediaLimits
from settings import Tasks, as_role
from tasks.broker import KeyBroker
from tasks.control import Control
from tasks.pipeline import Run, Stage, stage
from tasks.worker import Tools, Worker
from tests.support import pipeline

OPEN = ("QUEUED", "PROCESSING")
QUICK = Tasks(beat_seconds=0.2, sweep_seconds=0.3, lease_seconds=10.0)


def declared(run: Run, name: str, *, fan_out: str | None = None, after: tuple[str, ...] = ()) -> Stage:
    """A stage of the media queue from a plain function."""
    made = stage(queue="media", timeout=20, fan_out=fan_out, after=after)(run)
    return replace(made, name=name, after=() if name == "probe" else ("probe", *after))


def tools(work: Database, home: Path, stages: Mapping[str, Stage]) -> Tools:
    """What a worker's stages work with, in a folder of the test's."""
    store = LocalStore(home / "objects", master_key=b"k" * 32, base_url="http://test")
    return Tools(work, store, Capabilities(Options(home)), MediaLimits(), stages)


def worker(work: Database, services: Urls, home: Path, stages: Mapping[str, Stage]) -> Worker:
    """A worker of the media queue, not yet running."""
    direct = as_role(services.database, "vidura_work")
    return Worker(
        "media", QUICK, tools(work, home, stages), direct, services.redis, home / "scratch", cards=list
    )


@asynccontextmanager
async def running(work: Database, services: Urls, *workers: Worker) -> AsyncIterator[None]:
    """Control and the given workers, stopped on leaving."""
    stop = asyncio.Event()
    redis = Redis.from_url(services.redis)
    control = Control(
        QUICK,
        work,
        workers[0].tools.store,
        as_role(services.database, "vidura_work"),
        redis,
        KeyBroker(services.redis),
    )
    leading = asyncio.create_task(control.run())
    taking = [asyncio.create_task(one.run(stop)) for one in workers]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*taking)
        if leading.done():
            leading.result()
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await redis.aclose()


async def ended(work: Database, run_id: UUID, seconds: float = 20) -> tuple[str, dict[str, str]]:
    """The statuses of a run once it has ended."""
    async with asyncio.timeout(seconds):
        while (found := await pipeline.status(work, run_id))[0] in OPEN:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found
