"""The supervisor, as a real process over trivial children: starting, restarting, leaving nothing behind."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from graphql_api.supervise import status
from tests.support.processes import Watch, children, command, family

ROOT = Path(__file__).parents[2]
# Answers GET /status on the socket it was given, each answer naming the process that gave it.
WEB = """
import os, socket
listener = socket.socket(fileno=int(os.environ["VIDURA_LISTEN_FD"]))
while True:
    caller, _ = listener.accept()
    caller.recv(65536)
    caller.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n{"ready": true, "pid": %d}' % os.getpid())
    caller.close()
"""
SLEEP = "import signal; print('working', flush=True); signal.pause()"
ORDERLY = """
import signal, time
def end(*_):
    time.sleep(0.3)
    raise SystemExit("ended well")
signal.signal(signal.SIGTERM, end)
print("working", flush=True)
signal.pause()
"""
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)
TELL = "import os; print('told', *(os.environ.get(name) for name in {names}))"
TELL_URLS = TELL.format(names=("DATABASE_URL", "REDIS_URL"))


class Supervisor:
    """A supervisor on a home and a port of its own, and the lines it prints."""

    def __init__(self, home: Path, processes: dict[str, str], lead: tuple[str, ...] = (), **env: str) -> None:
        procfile = home.with_suffix(".procfile")
        scripts = home.with_suffix(".scripts")
        scripts.mkdir(exist_ok=True)
        lines = []
        for name, script in processes.items():
            (scripts / f"{name}.py").write_text(script)
            lines.append(f"{name}: python {scripts / name}.py\n")
        procfile.write_text("".join(lines))
        self.home = home
        self.port = int(env.setdefault("PORT", str(free_port())))
        self.process = subprocess.Popen(
            [*lead, sys.executable, "-m", "graphql_api.supervise", "--procfile", str(procfile)],
            cwd=ROOT,
            env=os.environ | {"VIDURA_HOME": str(home)} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip())
        self._queue.put(None)

    def until(self, text: str, seconds: float = 30) -> str:
        """The next line that has `text` in it; until this is called nobody reads what it prints."""
        if self._reader.ident is None:
            self._reader.start()
        deadline = time.monotonic() + seconds
        while (line := self._queue.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} did not come:\n" + "\n".join(self.lines))

    def child(self, name: str) -> int:
        """The process number of one of its children."""
        found = [pid for pid in children(self.process.pid) if name in command(pid)]
        assert len(found) == 1, found
        return found[0]

    def end(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Signals it and waits for its end: its exit status."""
        self.process.send_signal(sent)
        return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._reader.ident is not None:
            self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


Start = Callable[..., Supervisor]
ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere/vidura", "REDIS_URL": "redis://elsewhere/0"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor with these processes; with services elsewhere, that is none, unless `embedded`."""
    running: list[Supervisor] = []

    def start(
        processes: dict[str, str],
        home: str = "home",
        embedded: bool = False,
        lead: tuple[str, ...] = (),
        **env: str,
    ) -> Supervisor:
        services = {} if embedded else ELSEWHERE
        running.append(Supervisor(tmp_path / home, processes, lead, **(services | env)))
        return running[-1]

    yield start
    for supervisor in running:
        supervisor.close()


def test_a_killed_process_is_started_again_at_once_and_the_others_are_left_alone(start: Start) -> None:
    supervisor = start({"web": WEB, "worker-gpu": SLEEP})
    supervisor.until("worker-gpu  working")
    web, worker = supervisor.child("web.py"), supervisor.child("worker-gpu.py")
    os.kill(worker, signal.SIGKILL)
    supervisor.until("worker-gpu  stopped (signal 9), starting again", 1)
    supervisor.until("worker-gpu  working", 5)
    assert supervisor.child("worker-gpu.py") != worker
    assert supervisor.child("web.py") == web


def test_connections_made_while_web_is_away_are_answered_by_the_next_web(start: Start) -> None:
    supervisor = start({"web": WEB})
    supervisor.until("ready after")
    first = status("127.0.0.1", supervisor.port)["pid"]
    os.kill(first, signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", supervisor.port)) as early:
        early.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        os.kill(first, signal.SIGKILL)
        assert b'"ready": true' in early.makefile("rb").read()
    assert status("127.0.0.1", supervisor.port)["pid"] != first


def test_a_process_that_keeps_failing_is_started_after_ever_longer_waits(start: Start) -> None:
    supervisor = start({"control": "raise SystemExit('no luck')"})
    supervisor.until("control  no luck")
    assert supervisor.until("stopped").endswith("stopped (exit 1), starting again")
    assert supervisor.until("stopped").endswith("stopped (exit 1), starting again in 0.5 s")
    assert supervisor.until("stopped").endswith("stopped (exit 1), starting again in 1 s")
    assert "no luck" in (supervisor.home / "logs" / "control.log").read_text()


def test_the_release_step_comes_first_and_its_failure_ends_everything_with_its_words(start: Start) -> None:
    supervisor = start({"release": "raise SystemExit('the disk is full')", "worker-io": SLEEP})
    supervisor.until("release  the disk is full")
    supervisor.until("vidura: the release step ended with 1")
    assert supervisor.process.wait(10) == 1
    assert not any("worker-io" in line for line in supervisor.lines)


def test_the_urls_and_the_login_are_printed_once_status_says_ready(start: Start) -> None:
    admin = {"email": "admin@vidura.test", "password": "long-and-random"}
    make = "import os, pathlib; pathlib.Path(os.environ['VIDURA_HOME'], 'admin.json').write_text({text!r})"
    supervisor = start({"release": make.format(text=json.dumps(admin)), "web": WEB})
    supervisor.until("ready after")
    supervisor.until(f"http://127.0.0.1:{supervisor.port}")
    supervisor.until(f"http://127.0.0.1:{supervisor.port}/graphql")
    supervisor.until("log in as admin@vidura.test with long-and-random")


def test_children_are_told_where_everything_is_and_the_master_key_stays(start: Start) -> None:
    tell = TELL.format(names=("VIDURA_HOME", "PORT", "BROKER_REDIS_URL", "MASTER_KEY"))
    told = []
    for _ in range(2):
        supervisor = start({"release": tell}, PORT="28123")
        told.append(supervisor.until("told").split()[2:])
        supervisor.end()
    assert told[0] == told[1]
    home, port, broker, key = told[0]
    assert (home, port, broker) == (str(supervisor.home), "28123", ELSEWHERE["REDIS_URL"])
    assert len(bytes.fromhex(key)) == 32


def test_sigterm_ends_everything_and_the_exit_is_clean(start: Start) -> None:
    supervisor = start({"web": WEB, "worker-media": SLEEP}, embedded=True)
    supervisor.until("ready after")
    watch = Watch(family(supervisor.process.pid))
    assert supervisor.end() == 0
    assert watch.left(5) == []
    assert "database system is shut down" in (supervisor.home / "logs" / "postgres.log").read_text()


def test_one_stop_that_comes_as_several_signals_leaves_time_to_end_well(start: Start) -> None:
    supervisor = start({"worker-io": ORDERLY})
    supervisor.until("worker-io  working")
    for _ in range(3):
        supervisor.process.send_signal(signal.SIGTERM)
    supervisor.until("worker-io  ended well")
    assert supervisor.process.wait(10) == 0


def test_signals_that_go_on_kill_what_will_not_stop(start: Start) -> None:
    supervisor = start({"worker-io": STUBBORN})
    supervisor.until("deaf")
    watch = Watch(family(supervisor.process.pid))
    began = time.monotonic()
    while watch.left(0.2):
        supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.process.wait(5) == 0
    assert time.monotonic() - began < 5


def test_a_signal_during_the_release_step_ends_that_too(start: Start) -> None:
    supervisor = start({"release": SLEEP}, embedded=True)
    supervisor.until("release  working")
    watch = Watch(family(supervisor.process.pid))
    assert supervisor.end() == 0
    assert watch.left(5) == []


def test_kill_9_leaves_nothing_and_the_next_start_is_not_hindered(start: Start) -> None:
    supervisor = start({"web": WEB, "worker-media": SLEEP}, embedded=True)
    supervisor.until("ready after")
    watch = Watch(family(supervisor.process.pid))
    supervisor.end(signal.SIGKILL)
    again = start({"web": WEB}, embedded=True, PORT=str(supervisor.port))
    again.until("ready after", 10)
    assert watch.left(5) == []


async def test_killed_services_are_back_at_their_old_address_within_seconds(start: Start) -> None:
    supervisor = start({"release": TELL_URLS, "worker-gpu": SLEEP}, embedded=True)
    _, database, broker = supervisor.until("told ").split()[1:]
    session = await asyncpg.connect(database, ssl=False)
    await session.execute("create table kept as select 1 as value")
    await session.close()
    began = time.monotonic()
    os.kill(supervisor.child("redis-server"), signal.SIGKILL)
    os.kill(supervisor.child("pginstall18"), signal.SIGKILL)
    supervisor.until("postgres  stopped (signal 9), starting again", 10)
    while True:
        try:
            session = await asyncpg.connect(database, ssl=False)
            break
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() - began < 30
    assert await session.fetchval("select value from kept") == 1
    await session.close()
    async with redis.asyncio.Redis.from_url(broker) as client:
        assert await client.ping()


def test_it_ends_with_the_process_that_started_it(start: Start) -> None:
    shell = ("sh", "-c", '"$@" & wait', "sh")
    supervisor = start({"worker-io": SLEEP}, lead=shell)
    supervisor.until("worker-io  working")
    watch = Watch(family(supervisor.process.pid))
    supervisor.process.kill()
    assert watch.left(5) == []


def test_a_daemon_outlives_the_process_that_started_it(start: Start) -> None:
    shell = ("sh", "-c", '"$@" & wait', "sh")
    supervisor = start({"worker-io": SLEEP}, lead=shell, VIDURA_FOLLOW_PARENT="0")
    supervisor.until("worker-io  working")
    daemon = children(supervisor.process.pid)[0]
    watch = Watch([daemon])
    supervisor.process.kill()
    assert len(watch.left(1.5)) == 1
    os.kill(daemon, signal.SIGTERM)
    assert watch.left(10) == []


def test_a_home_in_use_and_a_port_in_use_are_refused_by_name(start: Start) -> None:
    supervisor = start({"worker-io": SLEEP})
    supervisor.until("working")
    same_home = start({"worker-io": SLEEP})
    same_home.until(
        f"home is in use by process {supervisor.process.pid}: stop it, or set another VIDURA_HOME"
    )
    same_port = start({"worker-io": SLEEP}, home="other", PORT=str(supervisor.port))
    same_port.until(
        f"cannot listen on 127.0.0.1:{supervisor.port} (Address already in use): set another PORT"
    )
    assert [same_home.process.wait(10), same_port.process.wait(10)] == [1, 1]


def test_two_systems_run_side_by_side(start: Start) -> None:
    both = [start({"release": TELL_URLS, "web": WEB}, home=home, embedded=True) for home in ("one", "two")]
    urls = [supervisor.until("told ").split()[2:] for supervisor in both]
    assert len({*urls[0], *urls[1]}) == 4
    for supervisor in both:
        supervisor.until("ready after")
        assert status("127.0.0.1", supervisor.port)["pid"] == supervisor.child("web.py")


def test_a_console_that_nobody_reads_does_not_hold_the_system_up(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "done")
    chatter = (
        f"for _ in range(5000): print('x' * 1000)\nopen({str(tmp_path / 'done')!r}, 'w').close()\n{SLEEP}"
    )
    supervisor = start({"web": WEB, "worker-io": chatter})
    (tmp_path / "done").read_text()
    assert status("127.0.0.1", supervisor.port)["pid"] == supervisor.child("web.py")
    # What the chatter has written may still be on its way through pipes to the log.
    deadline = time.monotonic() + 20
    while (supervisor.home / "logs" / "worker-io.log").stat().st_size < 5_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
