"""What a pipeline stage is: a function with a declaration, found by its file, for one media item."""

import asyncio
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from db.catalogue import QUEUES, Definition
from db.connection import Database
from db.objects import ObjectStore
from db.runs import FIRST
from db.stages import Claim, CostLine, Write

if TYPE_CHECKING:
    from inference.calling import Capabilities
    from settings import Media as MediaLimits

Answer = TypeVar("Answer")

KINDS = ("VIDEO", "IMAGE", "AUDIO")


class BadStage(Exception):
    """A file in `tasks/stages` does not keep the contract: nothing may start before it is mended."""


class Skip(Exception):
    """There is nothing to do here, for a reason a person can act on: the stage ends SKIPPED."""


class Refused(Exception):
    """The file is to blame, and trying again would change nothing: the stage ends FAILED."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Media:
    """The item a stage works on; `sha256` is what the uploader said, if anything."""

    id: UUID
    kind: str
    title: str | None
    description: str | None
    object_key: str
    latitude: float | None
    recorded_at: datetime | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage leaves: JSON for later stages, and writes that happen in the finishing transaction."""

    left: Mapping[str, Any]
    engine: str | None = None
    writes: Sequence[Write] = ()
    costs: Sequence[CostLine] = field(default=())


class Progress(Protocol):
    """Tells watchers how far a stage is; awaiting it never fails a stage."""

    def __call__(self, done: int, total: int | None = None, model: str | None = None) -> Awaitable[None]:
        """`done` of `total` units."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage is given: its claim, a scratch folder, bytes, models, and what earlier stages left."""

    claim: Claim
    scratch: Path
    database: Database
    store: ObjectStore
    models: "Capabilities"
    limits: "MediaLimits"
    left: Mapping[str, Mapping[str, Any]]
    progress: Progress

    async def original(self, media: Media) -> Path:
        """The item's own file as a local path, to be read only."""
        return await self.store.fetch(media.object_key, self.scratch)

    async def keep(self, name: str, file: Path) -> str:
        """Stores a file as an object of this run; its key. Another attempt writes another key."""
        key = self.key(name)
        await self.store.put_file(key, file)
        return key

    def key_frames(self, most: int) -> list[Mapping[str, Any]]:
        """At most `most` of the run's key frames, spread evenly; black and blurred ones only if all are."""
        frames = self.left.get("frames", {}).get("key_frames", [])
        good = [frame for frame in frames if not frame["black"] and not frame["blurred"]] or frames
        step = max(1.0, len(good) / most)
        return [good[int(place * step)] for place in range(min(most, len(good)))]

    async def pictures(self, most: int) -> list[bytes]:
        """Those key frames as JPEG."""
        return [await self.store.get_bytes(frame["key"]) for frame in self.key_frames(most)]

    async def while_telling(self, asked: Awaitable[Answer], where: Callable[[], tuple[int, int]]) -> Answer:
        """Awaits an answer and, each second, tells how far its engine has come."""
        answer = asyncio.ensure_future(asked)
        try:
            while not (await asyncio.wait([answer], timeout=1.0))[0]:
                await self.progress(*where())
            return answer.result()
        finally:
            answer.cancel()

    def key(self, name: str) -> str:
        """A key of this attempt: which one counts is decided by the row that names it."""
        return f"runs/{self.claim.run_id}/{self.claim.name}/{self.claim.fence}/{name}"


Run = Callable[[Work, Media], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage file's declaration. `fan_out` names a capability: one shard per model that has it."""

    name: str
    queue: str
    after: tuple[str, ...]
    kinds: tuple[str, ...]
    capabilities: tuple[str, ...]
    timeout_seconds: float
    attempts: int
    fan_out: str | None
    run: Run

    @property
    def definition(self) -> Definition:
        """As the catalogue keeps it."""
        return Definition(self.name, self.queue, self.after, self.capabilities, self.kinds)


def minutes(number: float) -> float:
    """Minutes in seconds."""
    return number * 60


def stage(
    *,
    queue: str,
    timeout: float,
    after: tuple[str, ...] = (),
    kinds: tuple[str, ...] = KINDS,
    capabilities: tuple[str, ...] = (),
    attempts: int = 3,
    fan_out: str | None = None,
) -> Callable[[Run], Stage]:
    """Declares the function below it as the stage named like it; `timeout` in seconds."""

    def declare(run: Run) -> Stage:
        name: str = getattr(run, "__name__", "")
        predecessors = after if name == FIRST else (FIRST, *after)
        return Stage(name, queue, predecessors, kinds, capabilities, timeout, attempts, fan_out, run)

    return declare


def discover() -> dict[str, Stage]:
    """Every stage by name, from every file of `tasks/stages`; raises BadStage before anything starts."""
    # By name: who only knows what a stage is, as the web does, never loads what stages need.
    package = import_module("tasks.stages")
    found: dict[str, Stage] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{info.name}")
        declared = [value for value in vars(module).values() if isinstance(value, Stage)]
        if [one.name for one in declared] != [info.name]:
            raise BadStage(f"{module.__name__} must declare one stage, named {info.name!r}")
        found[info.name] = declared[0]
    _check(found)
    return found


def _check(found: Mapping[str, Stage]) -> None:
    if FIRST not in found:
        raise BadStage(f"there is no stage {FIRST!r}, with which every run begins")
    for one in found.values():
        if one.queue not in QUEUES:
            raise BadStage(f"stage {one.name!r}: there is no queue {one.queue!r}")
        missing = set(one.after) - set(found)
        if missing:
            raise BadStage(f"stage {one.name!r} comes after {missing.pop()!r}, which does not exist")
        if one.name in before(found, one.name):
            raise BadStage(f"stage {one.name!r} comes after itself")


def before(found: Mapping[str, Stage], name: str) -> set[str]:
    """Every stage that must have ended before `name` may start."""
    seen: set[str] = set()
    rest = list(found[name].after)
    while rest:
        predecessor = rest.pop()
        if predecessor not in seen:
            seen.add(predecessor)
            rest.extend(found[predecessor].after)
    return seen


def wanted(found: Mapping[str, Stage], names: Sequence[str] | None, kind: str) -> list[Stage]:
    """The stages a run needs besides the first, in order: those asked for and all they rest on."""
    chosen = set(found) if names is None else {name for name in names if name in found}
    for name in list(chosen):
        chosen |= before(found, name)
    in_order = sorted(chosen - {FIRST}, key=lambda name: (len(before(found, name)), name))
    return [found[name] for name in in_order if kind in found[name].kinds]
