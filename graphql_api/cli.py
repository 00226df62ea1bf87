"""The processes of Vidura and its few commands: `python -m graphql_api.cli COMMAND`."""

import argparse
import asyncio
import logging
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from redis.asyncio import Redis

from db.catalogue import QUEUES, Card
from db.connection import Database, patiently
from graphql_api import logs
from graphql_api.app import open_app, open_store
from graphql_api.bootstrap import prepare
from inference.calling import Capabilities
from inference.devices import devices
from inference.host import Host
from inference.options import Options
from schema.root import sdl
from settings import Settings
from tasks.broker import KeyBroker
from tasks.control import Control
from tasks.media.sandbox import sandbox_layers
from tasks.pipeline import discover
from tasks.worker import Tools, Worker

log = logging.getLogger("vidura")

SDL = Path(__file__).parent.parent / "schema" / "schema.graphql"


def main() -> None:
    """Runs one command; processes end cleanly on SIGTERM and SIGINT."""
    arguments = _parse()
    settings = Settings()
    if arguments.command == "schema":
        sys.exit(_schema(arguments.check))
    logs.configure(" ".join(word for word in (arguments.command, getattr(arguments, "queue", "")) if word))
    if arguments.command == "web":
        asyncio.run(web(settings))
    else:
        asyncio.run(_until_told(COMMANDS[arguments.command], settings, arguments))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vidura", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("web", help="serve the API")
    worker = commands.add_parser("worker", help="take stages of one queue")
    worker.add_argument("queue", choices=QUEUES)
    commands.add_parser("control", help="dispatch, relay and sweep (one leads, others stand by)")
    commands.add_parser("prepare", help="migrate and make the bootstrap admin")
    schema = commands.add_parser("schema", help="write schema/schema.graphql")
    schema.add_argument("--check", action="store_true", help="only say whether it is up to date")
    return parser.parse_args()


def _schema(check: bool) -> int:
    """Writes the SDL; with `check`, 1 when the committed one differs."""
    text = sdl()
    if not check:
        SDL.write_text(text)
        return 0
    if SDL.read_text() == text:
        return 0
    print("schema/schema.graphql differs from the code: run `make schema` and commit it.", file=sys.stderr)
    return 1


async def _until_told(
    command: Callable[[Settings, argparse.Namespace, asyncio.Event], Awaitable[None]],
    settings: Settings,
    arguments: argparse.Namespace,
) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await command(settings, arguments, stop)


async def web(settings: Settings) -> None:
    """The API on its port, or on the socket handed down by the supervisor."""
    async with open_app(settings) as app:
        config = uvicorn.Config(
            app,
            host=settings.web.host,
            port=settings.web.port,
            lifespan="off",
            loop="uvloop",
            ws="websockets-sansio",
            ws_max_size=settings.web.max_frame_bytes,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=8,
        )
        # Not as uvicorn's `fd`: it takes that for a Unix socket, and answers then wait 40 ms for Nagle.
        fd = settings.web.listen_fd
        await uvicorn.Server(config).serve(None if fd is None else [socket.socket(fileno=fd)])


@asynccontextmanager
async def opened(settings: Settings, name: str) -> AsyncIterator[Database]:
    """The workers' pool, waited for while Postgres is still starting."""
    size = settings.database.pool_size
    database = await patiently(lambda: Database.open(settings.database.work, size=size, name=name))
    try:
        yield database
    finally:
        await database.close()


async def _prepare(settings: Settings, _: argparse.Namespace, __: asyncio.Event) -> None:
    await prepare(settings)


async def _control(settings: Settings, _: argparse.Namespace, stop: asyncio.Event) -> None:
    async with opened(settings, "control") as database:
        control = Control(
            settings.tasks,
            database,
            open_store(settings),
            settings.database.direct,
            Redis.from_url(settings.redis.url, socket_connect_timeout=2, socket_timeout=5),
            KeyBroker(settings.redis.broker_url or settings.redis.url),
        )
        leading = asyncio.create_task(control.run())
        await asyncio.wait([leading, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        if leading.done():
            leading.result()
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)


async def _worker(settings: Settings, arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    """Only worker-gpu has inference hosts; the others still call providers and small models."""
    queue: str = arguments.queue
    if not settings.development and not {"landlock", "bubblewrap"} & set(sandbox_layers()):
        sys.exit("Production opens no media without Landlock (Linux 5.13) or bubblewrap: install one.")
    options = Options.of(settings.inference, settings.home / "models")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(settings, f"worker-{queue}"))
        wanted = devices(settings.inference.devices) if queue == "gpu" else []
        hosts = [Host(device, options, settings.redis.url) for device in wanted]
        for host in hosts:
            host.start()
            stack.push_async_callback(host.close)
        models = Capabilities(options, hosts)
        worker = Worker(
            queue,
            settings.tasks,
            Tools(database, open_store(settings), models, settings.media, discover()),
            settings.database.direct,
            settings.redis.broker_url or settings.redis.url,
            settings.home / "scratch" / f"{queue}-{secrets.token_hex(4)}",
            lambda: cards(models),
        )
        await worker.run(stop)


def cards(models: Capabilities) -> list[Card]:
    """The models of this worker as the catalogue keeps them."""
    return [
        Card(
            card.name,
            card.version,
            card.capability,
            card.kinds,
            card.device,
            card.loaded,
            card.mean_seconds,
            card.available_reason,
        )
        for card in models.describe_models()
    ]


COMMANDS = {"prepare": _prepare, "control": _control, "worker": _worker}

if __name__ == "__main__":
    main()
