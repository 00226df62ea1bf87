"""One device's inference host, seen from the worker: started, watched, restarted and asked."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from inference import wire
from inference.capabilities import Answer, EngineBroke, OnSegment
from inference.devices import resident_bytes
from inference.options import Options
from inference.registry import ModelCard
from inference.waiting import WaitingCalls

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
NETWORK = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_")
START_SECONDS, SILENT_SECONDS = 30.0, 60.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
LOOK_SECONDS, END_SECONDS = 1.0, 1.0

CARDS = TypeAdapter(list[ModelCard])


class Host:
    """The warm process of one device, with the models of the checkout at `root`.

    To be used from one event loop, that of the worker's main thread: the process dies with the
    thread that started it. Interactive calls are answered if there is a `redis_url`. Calls wait at most
    `start_seconds` for a process that starts; one that holds more than `memory_bytes`, or gives no sign
    of life for `silent_seconds`, is killed.
    """

    def __init__(
        self,
        device: str,
        options: Options,
        redis_url: str = "",
        memory_bytes: int | None = None,
        start_seconds: float = START_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
        root: Path = ROOT,
    ) -> None:
        self.device = device
        self.cards: tuple[ModelCard, ...] | None = None
        self._opening = {"options": options.for_host(), "device": device, "redis_url": redis_url}
        self._memory_bytes = memory_bytes
        self._start_seconds = start_seconds
        self._silent_seconds = silent_seconds
        self._heard = 0.0
        self._root = root
        self._waiting = WaitingCalls(lambda: self._kill("another call ran past its deadline"))
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._known, self._warm = asyncio.Event(), asyncio.Event()
        self._death = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def in_flight(self) -> int:
        """How many calls wait for an answer."""
        return len(self._waiting)

    def start(self) -> None:
        """Starts the process and from now on keeps one alive; returns at once."""
        self._task = asyncio.create_task(self._keep())

    async def known(self) -> bool:
        """Waits until the host has said which models it has; False if not within `start_seconds`."""
        return await _within(self._known, self._start_seconds)

    async def ready(self, timeout: float = 120.0) -> bool:
        """Waits until every model that can be is loaded; False if not within `timeout` seconds."""
        return await _within(self._warm, timeout)

    async def close(self) -> None:
        """Ends the process; calls in flight end with HostGone."""
        if self._task:
            self._death = "the worker stops"
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def call(
        self,
        model: str,
        capability: str,
        arguments: dict[str, Any],
        deadline_seconds: float,
        on_segment: OnSegment | None = None,
    ) -> Answer[Any]:
        """Asks `model` (its key) and waits; the deadline counts from when the model begins.

        Raises Unavailable, EngineBroke, or HostGone. A caller that is cancelled only gives up the answer.
        """
        while not self._known.is_set():
            if not await self.known():
                raise EngineBroke(f"the inference host of {self.device} does not start", transient=True)
        waiting = self._waiting.add(capability, deadline_seconds, on_segment)
        request = {"type": "call", "id": waiting.number, "model": model, "capability": capability}
        try:
            self._send({**request, "arguments": arguments})
            return await waiting.answer
        except asyncio.CancelledError:
            self._send({"type": "cancel", "id": waiting.number})
            raise
        finally:
            self._waiting.remove(waiting)

    async def _keep(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            began = time.monotonic()
            self._death = "it ended by itself"
            try:
                await self._live()
            except OSError as error:
                self._death = f"it cannot be started: {error}"
            log.warning("inference host of %s is gone: %s", self.device, self._death)
            # Doubling is for a host that cannot start; one that had worked for a while comes back at once.
            pause = SHORTEST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause * 2
            await asyncio.sleep(min(pause, LONGEST_PAUSE))

    async def _live(self) -> None:
        """One life of the process: from its start until it is gone."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "inference.host", str(theirs.fileno())),
                    cwd=self._root,
                    env=_environment(),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                )
            try:
                await self._talk(ours)
            finally:
                await _ended(self._process)

    async def _talk(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)
        self._writer, self._heard = writer, time.monotonic()
        watch = asyncio.create_task(self._watch())
        try:
            self._send(self._opening)
            while True:
                self._take(await wire.receive(reader))
                self._heard = time.monotonic()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (wire.BadFrame, ValueError, KeyError) as error:
            self._death = f"it sent what cannot be read: {error}"
        finally:
            watch.cancel()
            self._known.clear()
            self._warm.clear()
            self._writer = None
            self._waiting.gone(self._death)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "cards":
            self.cards = tuple(CARDS.validate_python(message["cards"]))
            self._known.set()
            if message["ready"]:
                self._warm.set()
        elif message["type"] != "beat":
            self._waiting.take(message)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._memory_bytes and resident_bytes(self.pid or 0) > self._memory_bytes:
                self._kill(f"it held more than {self._memory_bytes} bytes of memory")
            if time.monotonic() - self._heard > self._silent_seconds:
                self._kill(f"it gave no sign of life for {self._silent_seconds:g} s")

    def _kill(self, why: str) -> None:
        self._death = why
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(wire.encode(message))


def _environment() -> dict[str, str]:
    """What a host needs of ours: no secret, and nothing that would let a library go to the network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.lower() in NETWORK or name.startswith(PASSED_ON_PREFIXES)
    }
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(50_000_000),
        "PYTHONUNBUFFERED": "1",
    }


async def _ended(process: asyncio.subprocess.Process) -> None:
    """A host ends by itself once its socket is closed; one that does not is killed."""
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _within(event: asyncio.Event, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True


if __name__ == "__main__":
    from inference.serving import main

    main()
