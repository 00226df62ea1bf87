"""A worker: takes stages of one queue, keeps their leases while they run, and ends each exactly once."""

import asyncio
import logging
import os
import random
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import dramatiq

from db import catalogue, stages
from db.connection import AWAY, Database, Unit, going_on, patiently
from db.errors import ViduraError
from db.events import AnalysisProgress
from db.models.fields import uuid7
from db.objects import ObjectStore
from db.outbox import emit_progress
from db.runs import FIRST, NewStage, grow
from db.stages import Claim, CostLine, FenceLost, Outcome
from inference.capabilities import EngineBroke, HostGone, Unavailable
from tasks.broker import ACTOR, KeyBroker
from tasks.media.sandbox import MediaJobFailed, MediaRefused
from tasks.pipeline import Media, Refused, Skip, Stage, Work, wanted

if TYPE_CHECKING:
    from inference.calling import Capabilities
    from settings import Media as MediaLimits
    from settings import Tasks

log = logging.getLogger("vidura.worker")

PROGRESS_SECONDS = 0.25
"""Watchers are told at most four times a second."""


NOTHING_THERE = ("NO_AUDIO", "NO_VIDEO", "NO_SUBTITLES")
"""Refusals that blame nobody: the file simply has none."""


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
    _held: set[asyncio.Task[None]] = field(default_factory=set)
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
            for task in self._held:
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
        task = asyncio.ensure_future(self.take(stage_id))
        self._held.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._held.discard(task)
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


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt came to nothing but another may succeed; `counted=False` gives the attempt back."""

    reason: str
    counted: bool = True
    costs: Sequence[CostLine] = ()

    def delay(self, attempt: int) -> float:
        """Seconds to wait: doubling, with jitter, at most ten minutes; none where nobody was to blame."""
        return min(600.0, 2.0**attempt) * random.uniform(0.5, 1.0) if self.counted else 0.2


def outcome_of(held: Claim, work: "asyncio.Task[Outcome]") -> Outcome | Retry:
    """What the end of a stage's function means: done, skipped, failed for good, or to be tried again."""
    try:
        return work.result()
    except (Skip, Unavailable) as error:
        return Outcome("SKIPPED", reason=str(error))
    except Refused as error:
        return Outcome("FAILED", error_code=error.code, reason=str(error))
    except MediaRefused as error:
        status = "SKIPPED" if error.code in NOTHING_THERE else "FAILED"
        return Outcome(status, error_code=error.code, reason=error.reason)
    except HostGone as error:
        # Calls that only waited beside the one that killed their host are not to blame.
        return (
            _failed(held, "HOST_GONE", error.reason, again=True)
            if error.running
            else Retry(error.reason, False)
        )
    except AWAY as error:
        return Retry(f"A part it needs went away ({type(error).__name__}); it is taken again.", counted=False)
    except MediaJobFailed as error:
        hopeless = error.code in ("TIMEOUT", "MEMORY")
        return _failed(held, error.code, error.reason, again=not hopeless)
    except EngineBroke as error:
        costs = [
            CostLine(cost.service, f"failed:{cost.unit}", cost.units, cost.unit, cost.amount_micros)
            for cost in error.costs
        ]
        return _failed(held, "ENGINE", error.reason, again=error.transient, costs=costs)
    except ViduraError as error:
        return _failed(held, error.code, error.message, again=True)
    except Exception as error:
        log.exception("stage %s broke", held.name)
        reason = f"Something in it broke ({type(error).__name__}); the worker's log has the details."
        return _failed(held, "INTERNAL", reason, again=True)


def _failed(
    held: Claim, code: str, reason: str, *, again: bool, costs: Sequence[CostLine] = ()
) -> Outcome | Retry:
    if again and held.attempt < held.max_attempts:
        return Retry(reason, costs=costs)
    return Outcome("FAILED", error_code=code, reason=reason, costs=costs)


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


class Reporter:
    """Tells watchers of progress, at most four times a second; the last word is not held back."""

    def __init__(self, database: Database, held: Claim) -> None:
        self._database = database
        self._held = held
        self._told = 0.0
        self._last: tuple[int, int | None] = (0, None)

    async def complete(self) -> None:
        """Says once that all is done, so that every stage that succeeds is seen to move."""
        done, total = self._last
        whole = max(1, done) if total is None else total
        await self.tell(whole, whole)

    async def tell(self, done: int, total: int | None = None, model: str | None = None) -> None:
        """Progress is worth nothing if it fails the work, so a Postgres that is away is ignored."""
        now = asyncio.get_running_loop().time()
        if (now - self._told < PROGRESS_SECONDS and done != total) or (done, total) == self._last:
            return
        self._last = (done, total)
        self._told = now
        held = self._held
        event = AnalysisProgress(
            workspace_id=held.workspace_id,
            media_id=held.media_id,
            run_id=held.run_id,
            stage=held.name,
            model=model,
            done=done,
            total=total,
        )
        try:
            async with self._database.unit_of_work() as unit:
                await emit_progress(unit, event, held.id, held.fence, done, total)
        except AWAY:
            log.debug("progress of %s was not told", held.name)
