"""Processes that are kept running: each started again by itself, its output named and kept."""

import asyncio
import os
import select
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from db.children import Launch
from db.errors import ViduraError

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
LINE_BYTES = 1024**2
LOG_BYTES = 16 * 1024**2
# Seconds before each start after the first in a row; a process that lived SETTLED seconds begins anew.
WAITS = (0.0, 0.5, 1.0, 2.0, 5.0)
SETTLED = 30.0


class Console:
    """Standard output, each line led by the name of the process it comes from, in colour on a terminal."""

    def __init__(self, names: Iterable[str]) -> None:
        self._colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
        self._width = max(map(len, self._colours))
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def line(self, name: str, text: str) -> None:
        """Prints one line, unless nobody reads: a full or closed pipe must not hold the system up."""
        lead = f"{name:>{self._width}}"
        if self._coloured:
            lead = f"\033[{self._colours[name]}m{lead}\033[0m"
        line = f"{lead}  {text}".encode(errors="replace")[: select.PIPE_BUF - 1] + b"\n"
        with suppress(OSError):
            if select.select((), (1,), (), 0)[1]:
                os.write(1, line)


class Log:
    """The log of one process: started anew with the system, and set aside as `.1` when it has grown large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)

    def write(self, line: bytes) -> None:
        """Adds one line."""
        if self._file.tell() > LOG_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._path.open("wb", buffering=0)
        self._file.write(line)


class Child:
    """One process: started as `launch` says, its output in `log` and, if `echo`, on the console."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Launch],
        log: Path,
        console: Console,
        stop_signal: signal.Signals = signal.SIGTERM,
        echo: bool = True,
    ) -> None:
        self.name = name
        self._launch = launch
        self.log = log
        self._file = Log(log)
        self._console = console
        self._stop_signal = stop_signal
        self._echo = echo
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    def ended(self) -> bool:
        """Whether it is not running."""
        return self._process is None or self._process.returncode is not None

    async def start(self) -> None:
        """Starts it once; from the main thread, whose end it will not outlive."""
        launch = await asyncio.to_thread(self._launch)
        self._process = await asyncio.create_subprocess_exec(
            *launch.argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, limit=LINE_BYTES, **launch.options
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def finish(self) -> int:
        """Waits for its end and ends what it left in its process group; returns the exit status."""
        assert self._process is not None
        assert self._reading is not None
        status = await self._process.wait()
        self.kill()
        # Who has left the group may still hold the pipe: their words are not worth waiting for.
        await asyncio.wait({self._reading}, timeout=1.0)
        return status

    async def keep(self) -> None:
        """Starts it whenever it is not running: at once the first time, then after ever longer waits."""
        failures = 0
        while True:
            began = time.monotonic()
            reason = await self._run()
            if time.monotonic() - began > SETTLED:
                failures = 0
            wait = WAITS[min(failures, len(WAITS) - 1)]
            self._note(f"{reason}, starting again" + (f" in {wait:g} s" if wait else ""))
            await asyncio.sleep(wait)
            failures += 1

    async def stop(self, grace: float) -> None:
        """Asks it to stop, and kills its process group when it has not within `grace` seconds."""
        if self._process is None or self.ended():
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(self._stop_signal)
        try:
            async with asyncio.timeout(grace):
                await self.finish()
        except TimeoutError:
            self._note(f"did not stop within {grace:g} s, killed")
            self.kill()
            await self.finish()

    def kill(self) -> None:
        """Kills what there is of its process group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _run(self) -> str:
        """One life: how it ended, or why it could not begin."""
        try:
            if self.ended():
                await self.start()
            status = await self.finish()
        except (OSError, ViduraError) as error:
            return f"cannot start ({error})"
        return f"stopped ({f'signal {-status}' if status < 0 else f'exit {status}'})"

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                line = b"(a line too long to show)\n"
            if not line:
                return
            self._file.write(line)
            if self._echo:
                self._console.line(self.name, line.decode(errors="replace").rstrip())

    def _note(self, text: str) -> None:
        self._file.write(f"{text}\n".encode())
        self._console.line(self.name, text)
