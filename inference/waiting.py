"""The calls that an inference host has not answered yet: their segments, deadlines and ends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pydantic import TypeAdapter

from inference.capabilities import (
    CAPABILITIES,
    Answer,
    EngineBroke,
    HostGone,
    OnSegment,
    Segment,
    Unavailable,
)

SEGMENT = TypeAdapter(Segment)
RESULTS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(c.result) for name, c in CAPABILITIES.items()}


@dataclass
class Waiting:
    """One call; `timer` runs once the model has begun with it."""

    number: int
    capability: str
    deadline_seconds: float
    on_segment: OnSegment | None
    answer: "asyncio.Future[Answer[Any]]" = field(default_factory=asyncio.Future)
    timer: asyncio.TimerHandle | None = None

    def fail(self, error: Exception) -> None:
        """Ends it, unless it has ended already."""
        if not self.answer.done():
            self.answer.set_exception(error)


class WaitingCalls:
    """All calls of one host; `overdue` is told when one has run past its deadline."""

    def __init__(self, overdue: Callable[[], None]) -> None:
        self._calls: dict[int, Waiting] = {}
        self._numbers = count()
        self._overdue = overdue

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, capability: str, deadline_seconds: float, on_segment: OnSegment | None) -> Waiting:
        """A new call, under a number of its own."""
        call = Waiting(next(self._numbers), capability, deadline_seconds, on_segment)
        self._calls[call.number] = call
        return call

    def remove(self, call: Waiting) -> None:
        """Nobody waits for it any more."""
        self._calls.pop(call.number, None)
        if call.timer:
            call.timer.cancel()

    def gone(self, reason: str) -> None:
        """The host has died: every call ends, and learns whether it may have been the cause."""
        for call in self._calls.values():
            call.fail(HostGone(reason, running=call.timer is not None))

    def take(self, message: dict[str, Any]) -> None:
        """What the host says about one call; what nobody waits for is dropped."""
        call = self._calls.get(message["id"])
        if call is None or call.answer.done():
            return
        match message["type"]:
            case "started":
                loop = asyncio.get_running_loop()
                call.timer = loop.call_later(call.deadline_seconds, self._late, call)
            case "segment":
                _hear(call, SEGMENT.validate_python(message["segment"]))
            case "answer":
                given = message["answer"]
                value = RESULTS[call.capability].validate_python(given.pop("value"))
                call.answer.set_result(Answer(value, **given))
            case "error":
                reason, transient = message["reason"], message["transient"]
                call.fail(Unavailable(reason) if transient is None else EngineBroke(reason, transient))

    def _late(self, call: Waiting) -> None:
        call.fail(EngineBroke(f"no answer within {call.deadline_seconds:g} s", transient=True))
        self._overdue()


def _hear(call: Waiting, segment: Segment) -> None:
    if call.on_segment is None:
        return
    try:
        call.on_segment(segment)
    except Exception as error:
        # The caller's own failure is the caller's: the host and everybody else go on.
        call.fail(error)
