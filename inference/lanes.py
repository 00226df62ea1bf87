"""One lane per model: urgent calls first, and calls that wait for the same thing run as one batch."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.capabilities import CAPABILITIES, EngineBroke, FloatArray, Result, Unavailable, settled
from inference.devices import memory_bytes
from inference.registry import Model, ModelCard

LONGEST_BATCH_SECONDS = 0.1


@dataclass(eq=False)
class Call:
    """One request to a model. `items` are what may be merged with other calls; empty if it stands alone.

    Cancelling `answer` takes it out of the queue.
    """

    capability: str
    arguments: dict[str, Any]
    urgent: bool = False
    started: Callable[[], None] = lambda: None
    begun: bool = False
    seconds: float = 0.0
    parts: list[FloatArray] = field(default_factory=list)
    answer: "asyncio.Future[Result]" = field(default_factory=asyncio.Future)

    def __post_init__(self) -> None:
        name = CAPABILITIES[self.capability].items
        self.items: list[Any] = list(self.arguments[name]) if name else []
        self.common = {key: value for key, value in self.arguments.items() if key != name}
        self.taken = 0

    @property
    def mergeable(self) -> bool:
        """Whether its items may run together with those of other calls."""
        return bool(CAPABILITIES[self.capability].items)

    def goes_with(self, other: "Call") -> bool:
        """Whether both can be answered by one call of the model."""
        same = self.capability == other.capability and self.common == other.common
        return self is other or (self.mergeable and same)


@dataclass(frozen=True)
class Share:
    """The items of one call that are in a batch."""

    call: Call
    items: Sequence[Any]


def next_batch(waiting: Sequence[Call], most: int) -> list[Share]:
    """Up to `most` items of calls that go together: those of the first urgent call, or of the first."""
    order = sorted(waiting, key=lambda call: not call.urgent)
    batch: list[Share] = []
    for call in (call for call in order if call.goes_with(order[0])):
        room = most - sum(len(share.items) for share in batch)
        if room <= 0:
            break
        batch.append(Share(call, call.items[call.taken : call.taken + room]))
    return batch


class Lane:
    """The queue and the one thread of a model in its host; keeps its figures."""

    def __init__(self, model: Model, device: str, loading: asyncio.Lock) -> None:
        self.model = model
        self.device = device
        self.loaded = False
        self.error: str | None = None
        self.calls: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.memory: int | None = None
        self._loading = loading
        self._waiting: list[Call] = []
        self._most = model.batch
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, f"lane-{model.name}")

    def cards(self) -> list[ModelCard]:
        """The model as the catalogue shows it, one card per capability."""
        reason = None if self.loaded else self.error or self.model.available()
        return [
            dataclasses.replace(
                self.model.card(capability, self.device),
                loaded=self.loaded,
                calls=self.calls.get(capability, 0),
                mean_seconds=self._mean(capability),
                memory_bytes=self.memory,
                available_reason=reason,
                broken=self.error is not None,
            )
            for capability in self.model.capabilities
        ]

    async def prepare(self) -> None:
        """What the model wants to do before it is announced."""
        try:
            await self._in_thread(self.model.prepare)
        except Exception as error:
            self.error = f"could not be prepared: {_told(error)}"

    async def load(self) -> None:
        """Brings the weights onto the device, once; raises Unavailable or EngineBroke."""
        if self.loaded:
            return
        if reason := self.model.available():
            raise Unavailable(f"{self.model.label}: {reason}")
        # One at a time: two models that load at once would be charged with each other's memory.
        async with self._loading:
            if self.loaded:
                return
            before = memory_bytes(self.device)
            try:
                await self._in_thread(self.model.load, self.device)
            except Exception as error:
                self.error = f"could not be loaded: {_told(error)}"
                raise EngineBroke(f"{self.model.label} {self.error}", _transient(error)) from error
            self.memory = max(0, memory_bytes(self.device) - before)
            self.loaded, self.error = True, None

    async def ask(self, call: Call) -> Result:
        """Waits for its turn and returns the answer; raises Unavailable or EngineBroke."""
        self._waiting.append(call)
        self._arrived.set()
        return await call.answer

    async def run(self) -> None:
        """Works off the queue for ever."""
        while True:
            self._waiting = [call for call in self._waiting if not call.answer.done()]
            if self._waiting:
                await self._serve(next_batch(self._waiting, self._most))
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _serve(self, batch: list[Share]) -> None:
        try:
            await self.load()
            for call in (share.call for share in batch if not share.call.begun):
                call.begun = True
                call.started()
            await self._answer(batch)
        except (Unavailable, EngineBroke) as error:
            await self._fail(batch, error)

    async def _answer(self, batch: list[Share]) -> None:
        began = time.perf_counter()
        result = await self._in_thread(self._call, batch)
        taken = time.perf_counter() - began
        capability = batch[0].call.capability
        self.calls[capability] = self.calls.get(capability, 0) + 1
        self.seconds[capability] = self.seconds.get(capability, 0.0) + taken
        self._resize(sum(len(share.items) for share in batch), taken)
        start = 0
        for share in batch:
            share.call.seconds += taken
            _deliver(share, result, start)
            start += len(share.items)

    def _resize(self, size: int, seconds: float) -> None:
        # An urgent call waits for the batch in progress: on a slow device batches become smaller.
        if seconds > LONGEST_BATCH_SECONDS and size > 1:
            self._most = size // 2
        elif seconds < LONGEST_BATCH_SECONDS / 2:
            self._most = min(self.model.batch, max(self._most, 2 * size))

    def _call(self, batch: list[Share]) -> Any:
        """In the lane's thread: one call of the model for the whole batch."""
        first = batch[0].call
        arguments = dict(first.common)
        if first.mergeable:
            name = CAPABILITIES[first.capability].items
            arguments[name] = [item for share in batch for item in share.items]
        try:
            result = getattr(self.model, first.capability)(**arguments)
        except (Unavailable, EngineBroke):
            raise
        except Exception as error:
            raise EngineBroke(f"{self.model.label}: {_told(error)}", _transient(error)) from error
        if first.mergeable and len(result.values) != len(arguments[name]):
            raise EngineBroke(f"{self.model.label} gave {len(result.values)} rows", transient=False)
        return result

    async def _fail(self, batch: list[Share], error: Exception) -> None:
        # One bad picture must not spoil the answers of others that happened to wait beside it.
        if len(batch) > 1 and self.loaded:
            for share in batch:
                await self._serve([share])
            return
        for call in (share.call for share in batch if not share.call.answer.done()):
            call.answer.set_exception(error)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _mean(self, capability: str) -> float | None:
        calls = self.calls.get(capability, 0)
        return self.seconds[capability] / calls if calls else None


def _deliver(share: Share, result: Any, start: int) -> None:
    call = share.call
    if call.answer.done():
        return
    if not call.mergeable:
        call.answer.set_result(result)
        return
    call.parts.append(result.values[start : start + len(share.items)])
    call.taken += len(share.items)
    if call.taken == len(call.items):
        whole = dataclasses.replace(result, values=np.concatenate(call.parts))
        call.answer.set_result(settled(whole))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _transient(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
