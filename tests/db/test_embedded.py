"""The embedded services, as real processes: what they offer, what they keep, and how they end."""

import asyncio
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from db.children import owner_of
from db.embedded import Postgres, Urls, embedded_services
from db.errors import Conflict, Unavailable
from db.home import locked
from tests.support.processes import Watch, children, command, family

ROOT = Path(__file__).parents[2]
OWNER = """
import os, signal, sys
from importlib.metadata import version
from pathlib import Path
from db.embedded import embedded_services
version("redis")  # what this imports may be out of the other user's reach
if user := int(sys.argv[2]):
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
with embedded_services(Path(sys.argv[1])) as urls:
    print(urls.database, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module")
def urls(home: Path) -> Iterator[Urls]:
    with embedded_services(home) as urls:
        yield urls


async def ask(url: str, question: str) -> object:
    session = await asyncpg.connect(url, ssl=False)
    try:
        return await session.fetchval(question)
    finally:
        await session.close()


@dataclass(frozen=True)
class Owner:
    """Another process that has the services of a home running."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def start_owner(home: Path, user: int = 0) -> Owner:
    command = [sys.executable, "-c", OWNER, str(home), str(user)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return Owner(process, process.stdout.readline().strip())


def started(argv: Sequence[str], options: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL, **options)


async def test_the_owner_may_make_roles_and_owns_the_database_but_is_no_superuser(urls: Urls) -> None:
    rights = "array[rolcanlogin, rolcreaterole, rolsuper, rolbypassrls]"
    own = await ask(urls.database, f"select {rights} from pg_roles where rolname = current_user")
    assert own == [True, True, False, False]
    owner = "select datdba = current_user::regrole from pg_database where datname = 'vidura'"
    assert await ask(urls.database, owner) is True


async def test_postgres_18_offers_vectors_utc_and_utf8_words(urls: Urls) -> None:
    assert str(await ask(urls.database, "show server_version")).startswith("18.")
    assert await ask(urls.database, "select '[1,2]'::vector <-> '[1,4]'::vector") == 2.0
    assert await ask(urls.database, "show timezone") == "UTC"
    assert (
        await ask(urls.database, "select to_tsvector('simple', 'naïve–“CAFÉ”')::text") == "'café':2 'naïve':1"
    )


async def test_both_listen_on_loopback_only_and_leave_no_socket_file(urls: Urls) -> None:
    assert await ask(urls.superuser, "show listen_addresses") == "127.0.0.1"
    assert await ask(urls.superuser, "show unix_socket_directories") == ""
    async with redis.asyncio.Redis.from_url(urls.redis) as client:
        assert (await client.config_get("bind"))["bind"] == "127.0.0.1"


async def test_redis_keeps_nothing_on_disk(urls: Urls) -> None:
    async with redis.asyncio.Redis.from_url(urls.redis) as client:
        assert await client.config_get("save") == {"save": ""}
        assert await client.config_get("appendonly") == {"appendonly": "no"}


async def test_neither_answers_without_its_password(urls: Urls) -> None:
    port = urlsplit(urls.database).port
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://vidura_owner:guess@127.0.0.1:{port}/vidura", ssl=False)
    async with redis.asyncio.Redis(
        port=urlsplit(urls.redis).port or 0, retry=Retry(NoBackoff(), 0)
    ) as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()


def test_passwords_are_in_private_files_and_on_no_command_line(urls: Urls, home: Path) -> None:
    files = [*(home / "keys").iterdir(), home / "redis" / "redis.conf"]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"] * 4
    shown = " ".join(command(pid) for pid in family(os.getpid()))
    assert "-D /proc/self/cwd" in shown
    for url in (urls.database, urls.superuser, urls.redis):
        assert str(urlsplit(url).password) not in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes user")
def test_under_root_both_run_as_somebody_else_below_a_folder_that_is_closed_to_them(
    urls: Urls, home: Path
) -> None:
    home.chmod(0o700)
    servers = [pid for pid in children(os.getpid()) if "postgres" in command(pid) or "redis" in command(pid)]
    assert len(servers) >= 2
    assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in servers)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes user")
def test_an_ordinary_user_can_run_both() -> None:
    user = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        owner = start_owner(Path(folder) / "home", user.pw_uid)
        servers = family(owner.process.pid)[1:]
        watch = Watch(servers)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in servers} == {user.pw_uid}
        owner.kill()
        assert watch.left(5) == []


async def test_a_second_start_is_quick_and_keeps_data_ports_and_passwords(tmp_path: Path) -> None:
    with embedded_services(tmp_path) as first:
        await ask(first.database, "create table kept as select 'words' as value")
    began = time.monotonic()
    with embedded_services(tmp_path) as second:
        assert time.monotonic() - began < 5
        assert second == first
        assert await ask(second.database, "select value from kept") == "words"


async def test_kill_9_of_the_owner_leaves_no_process_and_loses_nothing_committed(tmp_path: Path) -> None:
    owner = start_owner(tmp_path)
    watch = Watch(family(owner.process.pid))
    await ask(owner.url, "create table kept as select 'words' as value")
    owner.kill()
    assert watch.left(5) == []
    with embedded_services(tmp_path) as urls:
        assert urls.database == owner.url
        assert await ask(urls.database, "select value from kept") == "words"


async def test_a_kill_of_the_owner_ends_a_session_that_is_hard_at_work(tmp_path: Path) -> None:
    owner = start_owner(tmp_path)
    busy = await asyncpg.connect(owner.url, ssl=False)
    work = asyncio.create_task(busy.execute("select count(*) from generate_series(1, 1e12::bigint)"))
    while (
        await ask(
            owner.url, "select count(*) from pg_stat_activity where query ~ '1e12' and state = 'active'"
        )
        != 2
    ):
        pass
    watch = Watch(family(owner.process.pid))
    owner.kill()
    assert watch.left(5) == []
    with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.CrashShutdownError)):
        await work
    busy.terminate()


async def test_a_pid_file_whose_number_belongs_to_another_process_by_now_does_not_matter(
    tmp_path: Path,
) -> None:
    with embedded_services(tmp_path):
        stale = (tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()
    other = started(["sleep", "600"], owner_of(tmp_path / "postgres"))
    try:
        (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join([str(other.pid), *stale[1:]]))
        with embedded_services(tmp_path) as urls:
            assert await ask(urls.database, "select 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_server_that_is_still_at_work_in_the_home_is_ended_first(tmp_path: Path) -> None:
    with embedded_services(tmp_path):
        pass
    with locked(tmp_path):
        earlier = Postgres(tmp_path)
        earlier.prepare()
        launch = earlier.launch()
        left = started(launch.argv, launch.options)
        await earlier.ready(lambda: left.poll() is not None)
    with embedded_services(tmp_path) as urls:
        assert left.wait() == 0
        assert await ask(urls.database, "select 1") == 1


async def test_another_home_on_this_machine_is_left_alone(urls: Urls, tmp_path: Path) -> None:
    with embedded_services(tmp_path) as others:
        assert others.database != urls.database
        assert await ask(others.database, "select 1") == 1
    assert await ask(urls.database, "select 1") == 1


async def test_a_first_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    with embedded_services(tmp_path) as urls:
        assert await ask(urls.database, "select 1") == 1
    assert not half.exists()


async def test_a_port_that_something_else_has_taken_is_replaced(tmp_path: Path) -> None:
    with embedded_services(tmp_path) as urls:
        port = urlsplit(urls.database).port or 0
    with socket.create_server(("127.0.0.1", port)), embedded_services(tmp_path) as urls:
        assert urlsplit(urls.database).port != port
        assert await ask(urls.database, "select 1") == 1


def test_a_server_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    with embedded_services(tmp_path):
        pass
    with (tmp_path / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with (
        pytest.raises(Unavailable, match=r"(?s)postgres did not start.*no_such_setting"),
        embedded_services(tmp_path),
    ):
        pass


def test_data_whose_passwords_are_gone_are_refused_by_name(tmp_path: Path) -> None:
    with embedded_services(tmp_path):
        pass
    (tmp_path / "keys" / "postgres").unlink()
    with pytest.raises(Conflict, match=r"passwords of .*/postgres are gone"), embedded_services(tmp_path):
        pass


def test_a_redis_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.7 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    with embedded_services(tmp_path / "home"):
        log = (tmp_path / "home" / "logs" / "redis.log").read_text()
    assert "Redis version=" in log
