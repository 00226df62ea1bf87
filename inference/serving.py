"""The inference host's own program: loads each model once, keeps it warm and answers over one socket."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inference import wire
from inference.answering import Answering
from inference.capabilities import Answer, EngineBroke, Segment, Unavailable
from inference.lanes import Call, Lane
from inference.options import Options
from inference.registry import Model, discover

ASKED = ("embed_text", "embed_image", "embed_visual_text")
LOOK_SECONDS, BEAT_SECONDS = 0.5, 1.0
PR_SET_PDEATHSIG = 1


class Serving:
    """All lanes of one device, and the socket to the worker that started this process."""

    def __init__(self, device: str, models: Iterable[Model], writer: asyncio.StreamWriter) -> None:
        loading = asyncio.Lock()
        self.lanes = {model.name: Lane(model, device, loading) for model in models}
        self._writer = writer
        self._calls: dict[str, Call] = {}
        self._ready = False
        self._sent: object = None

    async def run(self, reader: asyncio.StreamReader, redis_url: str) -> None:
        """Serves until the other end of the socket is closed."""
        await asyncio.gather(*(lane.prepare() for lane in self.lanes.values()))
        async with asyncio.TaskGroup() as tasks:
            for lane in self.lanes.values():
                tasks.create_task(lane.run())
            tasks.create_task(self._keep_loaded())
            tasks.create_task(self._beat())
            if redis_url:
                tasks.create_task(Answering(redis_url, ASKED, self.ask).run())
            while True:
                self._take(await wire.receive(reader), tasks)

    async def ask(self, capability: str, arguments: dict[str, Any]) -> Answer[Any]:
        """An interactive call: the best model here answers it, before all batch work."""
        lane = self._best(capability)
        call = Call(capability, arguments, urgent=True)
        value: Any = await lane.ask(call)
        return Answer(value, lane.model.label, lane.model.version, call.seconds)

    def _best(self, capability: str) -> Lane:
        able = [
            (card.preference, lane)
            for lane in self.lanes.values()
            for card in lane.cards()
            if card.capability == capability and (card.broken or card.available_reason is None)
        ]
        if not able:
            raise Unavailable(f"No model for {capability}.")
        return min(able, key=lambda pair: pair[0])[1]

    def _take(self, message: dict[str, Any], tasks: asyncio.TaskGroup) -> None:
        if message["type"] == "call":
            tasks.create_task(self._answer(message))
        elif call := self._calls.get(message["id"]):
            call.answer.cancel()

    async def _answer(self, message: dict[str, Any]) -> None:
        name, lane = message["id"], self.lanes[message["model"]]
        call = self._calls[name] = self._call(name, message["capability"], message["arguments"])
        try:
            value: Any = await lane.ask(call)
        except (Unavailable, EngineBroke) as error:
            transient = getattr(error, "transient", None)
            self._send({"type": "error", "id": name, "reason": error.reason, "transient": transient})
        except asyncio.CancelledError:
            if not call.answer.cancelled():
                raise
        else:
            answer = Answer(value, lane.model.label, lane.model.version, call.seconds)
            self._announce()
            self._send({"type": "answer", "id": name, "answer": answer})
        finally:
            del self._calls[name]

    def _call(self, name: str, capability: str, arguments: dict[str, Any]) -> Call:
        loop = asyncio.get_running_loop()
        call = Call(capability, arguments, started=lambda: self._send({"type": "started", "id": name}))
        if capability == "transcribe":

            def heard(segment: Segment) -> None:
                if call.answer.cancelled():
                    raise EngineBroke("nobody waits for it any more", transient=False)
                message = {"type": "segment", "id": name, "segment": segment}
                loop.call_soon_threadsafe(self._send, message)

            call.common |= {"audio": Path(arguments["audio"]), "on_segment": heard}
        return call

    async def _keep_loaded(self) -> None:
        """Loads every model for hosts as soon as its weights are there, and tells the worker what changed."""
        hosted = [lane for lane in self.lanes.values() if lane.model.place == "host"]
        while True:
            for lane in hosted:
                self._announce()
                if lane.error is None:
                    with contextlib.suppress(Unavailable, EngineBroke):
                        await lane.load()
            self._ready = True
            self._announce()
            await asyncio.sleep(LOOK_SECONDS)

    async def _beat(self) -> None:
        while True:
            self._send({"type": "beat"})
            await asyncio.sleep(BEAT_SECONDS)

    def _announce(self) -> None:
        cards = [card for lane in self.lanes.values() if lane.model.place == "host" for card in lane.cards()]
        if (self._ready, cards) != self._sent:
            self._sent = (self._ready, cards)
            self._send({"type": "cards", "cards": cards, "ready": self._ready})

    def _send(self, message: dict[str, Any]) -> None:
        self._writer.write(wire.encode(message))


async def serve(connection: socket.socket) -> None:
    """Reads device and options from the socket, then serves on it until it is closed."""
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)
    opening = await wire.receive(reader)
    options = Options.from_json(opening["options"])
    models = [candidate(options) for candidate in discover().values()]
    await Serving(opening["device"], models, writer).run(reader, opening["redis_url"])


def main() -> None:
    """Runs a host on the socket whose descriptor is the first argument; dies with its parent."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C reaches the whole group of processes: the worker decides when its host stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    status = 0
    try:
        asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
    except* (asyncio.IncompleteReadError, ConnectionError):
        pass
    except* Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    # A model in the middle of a computation must not keep a host alive that nobody listens to.
    os._exit(status)
