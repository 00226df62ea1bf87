"""Control: one leader among any number of processes dispatches stages, relays events and sweeps."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import redis
from redis.asyncio import Redis

from db import catalogue, stages
from db.connection import AWAY, Database, going_on
from db.errors import ViduraError
from db.objects import ObjectStore
from db.runs import READY_CHANNEL
from tasks.broker import KeyBroker
from tasks.bus import Relay
from tasks.jobs import expire_uploads, forget_answers, forget_events

if TYPE_CHECKING:
    from settings import Tasks

log = logging.getLogger("vidura.control")

LEADER = 0x5649_4443
"""Advisory lock 'VIDC': its holder leads, the others stand by."""
JOBS = (expire_uploads.run, forget_answers.run, forget_events.run)
JOB_SECONDS = 3600.0
UNCLAIMED_SECONDS = 5.0
"""A key not claimed for this long was lost with its Redis or its worker, and is sent again."""


@dataclass(slots=True)
class Control:
    """Stands by until it can lead; leads until its connection breaks."""

    options: "Tasks"
    database: Database
    store: ObjectStore
    direct_url: str
    redis: Redis
    broker: KeyBroker
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _suspects: set[UUID] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled; a Postgres that goes away only costs the leadership."""
        while going_on():
            # A task of its own: a task group leaves marks of cancellation on the one it is in.
            stint = asyncio.create_task(self._stint())
            try:
                await asyncio.wait([stint])
            finally:
                stint.cancel()
            try:
                stint.result()
            except* AWAY as group:
                log.warning("Postgres is away (%s)", group.exceptions[0])
            await asyncio.sleep(0.3)

    async def _stint(self) -> None:
        """One time of leading, with a connection of its own that holds the lock."""
        connection = await asyncpg.connect(self.direct_url, timeout=5)
        try:
            await self._lead(connection)
        finally:
            connection.terminate()

    async def _lead(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", LEADER):  # noqa: ASYNC110
            await asyncio.sleep(1.0)
        log.info("leading")
        self._suspects = set()
        relay = Relay(self.database, self.redis)
        await relay.listen(connection)
        await connection.add_listener(READY_CHANNEL, self._hear)
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            group.create_task(self._dispatch())
            group.create_task(self._sweep())
            group.create_task(self._schedule())
            group.create_task(self._watch(connection))

    def _hear(self, *_: Any) -> None:
        self._ready.set()

    async def _watch(self, connection: asyncpg.Connection) -> None:
        """Leadership ends with the connection that holds the lock."""
        while going_on():
            await connection.execute("select 1")
            await asyncio.sleep(1.0)

    async def _dispatch(self) -> None:
        """Keeps every queue filled with twice its free slots: at once when told, else every second."""
        while going_on():
            await self._fill()
            try:
                async with asyncio.timeout(1.0):
                    await self._ready.wait()
            except TimeoutError:
                continue
            self._ready.clear()

    async def _fill(self) -> None:
        async with self.database.unit_of_work() as unit:
            picked = await catalogue.dispatch(unit, UNCLAIMED_SECONDS)
        queues: dict[str, list[UUID]] = {}
        for row in picked:
            queues.setdefault(row["queue"], []).append(row["id"])
        for queue, ids in queues.items():
            try:
                await asyncio.to_thread(self.broker.enqueue_keys, queue, [str(key) for key in ids])
            except (redis.RedisError, OSError) as error:
                log.warning("Redis is away (%s); %d stages wait", type(error).__name__, len(ids))
                async with self.database.unit_of_work() as unit:
                    await catalogue.undispatch(unit, ids)

    async def _sweep(self) -> None:
        """Takes back what dead workers held; found dead twice, since Postgres restarting frees every lock."""
        while going_on():
            await asyncio.sleep(self.options.sweep_seconds)
            async with self.database.unit_of_work() as unit:
                found = set(await catalogue.dead_workers(unit))
            dead = list(found & self._suspects)
            self._suspects = found
            async with self.database.unit_of_work() as unit:
                lost = await stages.take_back(unit, dead)
                await catalogue.forget_workers(unit, dead)
            if lost:
                log.warning("%d stages taken back", lost)

    async def _schedule(self) -> None:
        """What happens by the clock; a job that fails is tried again an hour later."""
        while going_on():
            for job in JOBS:
                try:
                    await job(self.database, self.store)
                except (OSError, ViduraError):
                    log.exception("a job failed")
            await asyncio.sleep(JOB_SECONDS)
