"""Runs all of Vidura on one machine: embedded services, the Procfile's processes, one socket for them."""

import argparse
import asyncio
import errno
import json
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from db.children import Launch, ends_with_parent
from db.embedded import Postgres, Redis
from db.errors import Conflict, InvalidInput, Unavailable, ViduraError
from db.home import locked, log_path
from db.keyfile import master_key
from graphql_api.processes import Child, Console
from settings import Settings

ROOT = Path(__file__).parent.parent
GRACE_SECONDS = 10.0
IMPATIENT_SECONDS = 1.0
FREED_SECONDS = 3.0
BACKLOG = 1024


class System:
    """One running Vidura: its embedded services, its applications, and the socket they answer on."""

    def __init__(
        self, settings: Settings, home: Path, commands: Mapping[str, list[str]], web: socket.socket
    ) -> None:
        self._settings = settings
        self._home = home
        self._web = web
        self._commands = commands
        self._console = Console(["vidura", "postgres", "redis", *commands])
        self._env = os.environ | {
            "PORT": str(settings.web.port),
            "VIDURA_HOME": str(home),
            "VIDURA_PROFILE": settings.profile,
            "PYTHONUNBUFFERED": "1",
        }
        self._services: list[Child] = []
        self._apps: list[Child] = []

    async def run(self) -> None:
        """Starts everything and keeps it running until a signal comes or our parent ends; then stops."""
        this = asyncio.current_task()
        assert this is not None
        _on_signals(this.cancel)
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_when_orphaned(this.cancel))
                await self._start(tasks)
                await self._announce(began)
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._say("stopping …")
        finally:
            await self._stop()

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        await self._start_services(tasks)
        if not self._settings.objects.master_key.get_secret_value():
            self._env["MASTER_KEY"] = master_key("", self._home).decode()
        commands = dict(self._commands)
        if release := commands.pop("release", None):
            with self._step("migrating"):
                await self._release(release)
        with self._step("starting processes"):
            for name, command in commands.items():
                self._apps.append(self._app(name, command))
                tasks.create_task(self._apps[-1].keep())

    async def _start_services(self, tasks: asyncio.TaskGroup) -> None:
        """Starts those that no URL replaces, and tells the applications where they are."""
        if not self._settings.database.url:
            with self._step("starting Postgres 18"):
                self._env["DATABASE_URL"] = await self._serve(tasks, Postgres(self._home))
        if not self._settings.redis.url:
            with self._step("starting Redis"):
                self._env["REDIS_URL"] = await self._serve(tasks, Redis(self._home))
        if not self._settings.redis.broker_url:
            self._env["BROKER_REDIS_URL"] = self._settings.redis.url or self._env["REDIS_URL"]

    async def _serve(self, tasks: asyncio.TaskGroup, service: Postgres | Redis) -> str:
        service.prepare()
        # What they say is for their logs: Postgres reports every conflict that the applications expect.
        child = Child(
            service.name, service.launch, service.log, self._console, service.stop_signal, echo=False
        )
        self._services.append(child)
        await child.start()
        await service.ready(child.ended)
        tasks.create_task(child.keep())
        return service.url

    async def _release(self, command: list[str]) -> None:
        """Runs the step that has to succeed before anything else may start."""
        child = self._app("release", command)
        self._apps.append(child)
        await child.start()
        code = await child.finish()
        self._apps.remove(child)
        if code != 0:
            raise Unavailable(f"the release step ended with {code}: what it said is above and in {child.log}")

    def _app(self, name: str, command: list[str]) -> Child:
        options: dict[str, Any] = {"cwd": ROOT, "env": self._env, "start_new_session": True}
        options["preexec_fn"] = ends_with_parent(signal.SIGKILL)
        if name == "web":
            options["env"] = self._env | {"VIDURA_LISTEN_FD": str(self._web.fileno())}
            options["pass_fds"] = (self._web.fileno(),)
        launch = Launch(tuple(command), options)
        return Child(name, lambda: launch, log_path(self._home, name), self._console)

    async def _announce(self, began: float) -> None:
        """Says how to reach the system once all of it works."""
        host, port = self._settings.web.host, self._settings.web.port
        while True:
            if (await asyncio.to_thread(status, host, port)).get("ready"):
                break
            await asyncio.sleep(0.2)
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
        self._say(f"ready after {time.monotonic() - began:.1f} s")
        self._say(f"http://{shown}:{port}")
        self._say(f"http://{shown}:{port}/graphql")
        with suppress(FileNotFoundError):
            admin = json.loads((self._home / "admin.json").read_text())
            self._say(f"log in as {admin['email']} with {admin['password']}")

    async def _stop(self) -> None:
        """Stops the applications, then what they work on; a later signal kills those that take their time."""
        self._web.close()
        # One stop often comes as several signals: to the whole group, and once more through make.
        _on_signals(lambda: None)
        asyncio.get_running_loop().call_later(IMPATIENT_SECONDS, _on_signals, self._kill)
        for tier in (self._apps, self._services):
            await asyncio.gather(*(child.stop(GRACE_SECONDS) for child in tier))
        self._say("stopped")

    def _kill(self) -> None:
        for app in self._apps:
            app.kill()

    @contextmanager
    def _step(self, doing: str) -> Iterator[None]:
        self._say(f"{doing} …")
        began = time.monotonic()
        yield
        self._say(f"{doing}: {time.monotonic() - began:.1f} s")

    def _say(self, text: str) -> None:
        self._console.line("vidura", text)


def read_procfile(path: Path) -> dict[str, list[str]]:
    """The commands of a Procfile by name; `python` is the one that is running now."""
    commands = {}
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not name.startswith("#"):
            program, *rest = shlex.split(command)
            commands[name.strip()] = [sys.executable if program == "python" else program, *rest]
    if not commands:
        raise InvalidInput(f"{path} names no process")
    return commands


def listening(host: str, port: int) -> socket.socket:
    """A socket on which connections wait while the web process is away; `Conflict` if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + FREED_SECONDS
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            # The processes of a supervisor that was killed a moment ago let go of it within a second.
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                reason = (error.strerror or "").partition(" (")[0]
                raise Conflict(f"cannot listen on {host}:{port} ({reason}): set another PORT") from None
        time.sleep(0.1)


def status(host: str, port: int) -> dict[str, Any]:
    """What `GET /status` answers, or nothing while nobody does."""
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/status")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    except (OSError, HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def _on_signals(act: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
            loop.add_signal_handler(number, act)


async def _when_orphaned(act: Callable[[], object]) -> None:
    """Acts when the process that started us has ended; VIDURA_FOLLOW_PARENT=0, for daemons, does without."""
    parent = os.getppid()
    while os.environ.get("VIDURA_FOLLOW_PARENT") != "0":
        await asyncio.sleep(0.5)
        if os.getppid() != parent:
            act()
            return


def main() -> int:
    """Runs until it is told to stop: 0; 1 with a reason where it cannot start."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--procfile", type=Path, default=ROOT / "Procfile")
    procfile = arguments.parse_args().procfile
    settings = Settings()
    home = settings.home.resolve()
    failed = 0
    try:
        with locked(home), listening(settings.web.host, settings.web.port) as web:
            asyncio.run(System(settings, home, read_procfile(procfile), web).run())
    except* (ViduraError, OSError) as errors:
        failed = 1
        for error in errors.exceptions:
            print(f"vidura: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
