"""Other processes as a test sees them: which there are below one, and when they have ended."""

import os
import select
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(process.name))
    return found


def family(pid: int) -> list[int]:
    """`pid` and all that it started, directly or not."""
    return [pid, *(member for child in children(pid) for member in family(child))]


def command(pid: int) -> str:
    """The command line of a running process."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


class Watch:
    """Holds on to processes, so that their end is seen even where a number is given to another."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._handles: dict[int, int] = {}
        for pid in pids:
            # Some end by themselves between being counted and being held.
            with suppress(ProcessLookupError):
                self._handles[pid] = os.pidfd_open(pid)

    def left(self, seconds: float) -> list[str]:
        """The commands of those that still run after `seconds`; returns as soon as there are none."""
        deadline = time.monotonic() + seconds
        for pid, handle in list(self._handles.items()):
            if select.select([handle], (), (), max(0.0, deadline - time.monotonic()))[0]:
                os.close(self._handles.pop(pid))
        return [f"{pid}: {command(pid)}" for pid in self._handles]
