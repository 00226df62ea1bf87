"""A worker: takes stages of one queue, keeps their leases while they run, and ends each exactly once."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import dramatiq

from db import catalogue, stages
from db.connection import AWAY, Database, Unit, going_on, patiently
from db.models.fields import uuid7
from db.objects import ObjectStore
from db.runs import FIRST, NewStage, grow
from db.stages import Claim, FenceLost, Outcome
from tasks.broker import ACTOR, KeyBroker
from tasks.outcomes import Retry, outcome_of
from tasks.pipeline import Media, Stage, Work, wanted
from tasks.progress import Reporter

if TYPE_CHECKING:
    from inference.calling import Capabilities
    from settings import Media as MediaLimits
    from settings import Tasks

log = logging.getLogger("vidura.worker")


@dataclass(frozen=True, slots=True)
class Tools:
    """What every stage of this process works with."""

    database: Database
    store: ObjectStore
    models: "Capabilities"
    limits: "MediaLimits"
    stages: Mapping[str, Stage]


@dataclass(slots=True)
class Worker:
    """One process's share of one queue; `run` until told to stop."""

    queue: str
    options: "Tasks"
    tools: Tools
    direct_url: str
    broker_url: str
    scratch: Path
    cards: Callable[[], list[catalogue.Card]]
    id: UUID = field(default_factory=uuid7)
    _held: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Checks in, takes keys until `stop`, then gives back what is not finished and checks out."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        slots = self.options.slots(self.queue)
        broker = KeyBroker(self.broker_url, slots)
        loop = asyncio.get_running_loop()
        dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=self.queue)(
            lambda key: asyncio.run_coroutine_threadsafe(self._hold(UUID(key)), loop).result()
        )
        taking = dramatiq.Worker(broker, queues={self.queue}, worker_threads=slots, worker_timeout=100)
        living = asyncio.create_task(self._live(slots))
        taking.start()
        try:
            told = asyncio.create_task(stop.wait())
            await asyncio.wait([told, living], return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                # It never ends by itself: what broke it is not for going on, but for the supervisor.
                living.result()
        finally:
            self._stopping = True
            for task in self._held.values():
                task.cancel()
            await asyncio.to_thread(taking.stop, 10_000)
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            broker.close()
            shutil.rmtree(self.scratch, ignore_errors=True)

    async def _hold(self, stage_id: UUID) -> None:
        """Runs in the loop on behalf of a Dramatiq thread; a stop cancels it without an error there."""
        if self._stopping:
            async with self.tools.database.unit_of_work() as unit:
                return await catalogue.undispatch(unit, [stage_id])
        if stage_id in self._held:
            return
        task = self._held[stage_id] = asyncio.ensure_future(self.take(stage_id))
        try:
            await asyncio.wait([task])
        finally:
            del self._held[stage_id]
        if not task.cancelled() and task.exception():
            log.error("stage %s could not be ended", stage_id, exc_info=task.exception())

    async def _live(self, slots: int) -> None:
        """Holds the lock that says this worker lives, and checks in; begins anew when Postgres went away."""
        card = catalogue.WorkerCard(
            self.id, self.queue, slots, socket.gethostname(), os.getpid(), secrets.randbits(62)
        )
        definitions = [stage.definition for stage in self.tools.stages.values()]
        while going_on():
            try:
                alive = await asyncpg.connect(self.direct_url, timeout=5)
                try:
                    await alive.execute("select pg_advisory_lock($1)", card.lock)
                    while going_on():
                        async with self.tools.database.unit_of_work() as unit:
                            await catalogue.check_in(unit, card, definitions, self.cards())
                        await alive.execute("select 1")
                        await asyncio.sleep(min(self.options.beat_seconds, 2.0))
                finally:
                    alive.terminate()
            except AWAY as error:
                log.warning("Postgres is away (%s); checking in again", type(error).__name__)
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                async with self.tools.database.unit_of_work() as unit:
                    await catalogue.check_out(unit, self.id)
                raise

    async def take(self, stage_id: UUID) -> None:
        """One stage from claim to end; nothing happens when somebody else has it."""
        held = await patiently(partial(self._claim, stage_id))
        if held is None:
            return
        log.info(
            "stage.started", extra={"stage": held.name, "run": str(held.run_id), "attempt": held.attempt}
        )
        scratch = Path(tempfile.mkdtemp(prefix=f"{held.name}-", dir=self.scratch))
        try:
            await self._end(held, await self._guarded(held, scratch))
        except FenceLost:
            log.info("stage.fenced", extra={"stage": held.name, "run": str(held.run_id)})
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    async def _claim(self, stage_id: UUID) -> Claim | None:
        async with self.tools.database.unit_of_work() as unit:
            return await stages.claim(unit, stage_id, self.id, self.options.lease_seconds)

    async def _guarded(self, held: Claim, scratch: Path) -> "Outcome | Retry":
        """The stage's own work, within its deadline and only as long as the fence is ours."""
        work = asyncio.create_task(self._perform(held, scratch))
        beats = asyncio.create_task(self._beat(held))
        try:
            async with asyncio.timeout(held.timeout_seconds):
                await asyncio.wait([work, beats], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return outcome_of(held, work)
            raise FenceLost(held.name)
        except TimeoutError:
            return Outcome(
                "FAILED",
                error_code="TIMEOUT",
                reason=f"It took longer than {held.timeout_seconds:g} seconds and was stopped.",
            )
        except asyncio.CancelledError:
            return Retry("Its worker is shutting down; it is taken again.", counted=False)
        finally:
            for task in (work, beats):
                task.cancel()
            await asyncio.gather(work, beats, return_exceptions=True)

    async def _beat(self, held: Claim) -> None:
        """Returns when the fence is lost; a Postgres that is away for a while is none of its business."""
        while going_on():
            await asyncio.sleep(self.options.beat_seconds)
            try:
                async with self.tools.database.unit_of_work() as unit:
                    if not await stages.beat(unit, held, self.options.lease_seconds):
                        return
            except AWAY:
                log.warning("no beat for %s: Postgres is away", held.name)

    async def _perform(self, held: Claim, scratch: Path) -> Outcome:
        media, left = await patiently(partial(self._read, held))
        stage = self.tools.stages[held.name]
        reporter = Reporter(self.tools.database, held)
        work = Work(
            claim=held,
            scratch=scratch,
            database=self.tools.database,
            store=self.tools.store,
            models=self.tools.models,
            limits=self.tools.limits,
            left=left,
            progress=reporter.tell,
        )
        result = await stage.run(work, media)
        await reporter.complete()
        writes = [*result.writes]
        if held.name == FIRST:
            writes.append(partial(self._expand, held, media.id))
        return Outcome("DONE", result.engine, result=dict(result.left), writes=writes, costs=result.costs)

    async def _read(self, held: Claim) -> tuple[Media, dict[str, dict[str, Any]]]:
        async with self.tools.database.unit_of_work() as unit:
            row = await unit.row(
                """
                select m.id, m.kind, m.title, m.description, m.object_key, m.latitude, m.recorded_at,
                  (select sha256 from uploads where media_id = m.id order by id desc limit 1) as sha256
                from media m where m.id = $1
                """,
                held.media_id,
            )
            if row is None:
                raise FenceLost(held.name)
            return Media(**dict(row)), await stages.results(unit, held.run_id)

    async def _expand(self, held: Claim, media_id: UUID, unit: Unit) -> None:
        """After the first stage the kind is known: the rest of the run is added in the same transaction."""
        run = await unit.row("select * from runs where id = $1", held.run_id)
        kind = await unit.value("select kind from media where id = $1", media_id)
        assert run is not None
        new: list[NewStage] = []
        for stage in wanted(self.tools.stages, run["wanted_stages"], kind):
            new += await shards(unit, stage, kind, run["wanted_models"], self.options.max_attempts)
        await grow(unit, run, new)

    async def _end(self, held: Claim, ending: "Outcome | Retry") -> None:
        """Writes how the stage ended, however long Postgres takes to come back within the lease."""

        async def write() -> None:
            async with self.tools.database.unit_of_work() as unit:
                if isinstance(ending, Retry):
                    await stages.retry(
                        unit,
                        held,
                        ending.reason,
                        delay=ending.delay(held.attempt),
                        counted=ending.counted,
                        costs=ending.costs,
                    )
                else:
                    await stages.finish(unit, held, ending)

        # A stop may not tear this apart: it takes milliseconds, and saves an attempt.
        await asyncio.shield(patiently(write))
        status = "RETRIED" if isinstance(ending, Retry) else ending.status
        log.info(
            "stage.ended",
            extra={"stage": held.name, "run": str(held.run_id), "status": status, "reason": ending.reason},
        )


async def shards(
    unit: Unit, stage: Stage, kind: str, models: list[str] | None, attempts: int
) -> list[NewStage]:
    """One row of a stage, or one for each model it fans out to; no such model: one that is SKIPPED."""
    make = partial(
        NewStage, stage.name, stage.queue, stage.after, stage.timeout_seconds, min(stage.attempts, attempts)
    )
    if stage.fan_out is None:
        return [make()]
    found = await catalogue.models_for(unit, stage.fan_out, kind)
    names = [row["name"] for row in found if models is None or row["name"] in models]
    return [make(name) for name in names] or [
        make(skipped=f"No model here can {stage.fan_out.replace('_', ' ')} for this kind of media.")
    ]
