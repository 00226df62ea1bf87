"""A whole running system, started as `make run` starts it, for stories and drills."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.processes import Watch, command, family

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Running:
    """A system under its supervisor."""

    url: str
    home: Path
    supervisor: int

    def processes(self, *words: str) -> list[int]:
        """The processes of this system whose command line holds all `words`."""
        return [pid for pid in family(self.supervisor) if all(word in _command(pid) for word in words)]


def _command(pid: int) -> str:
    try:
        return command(pid)
    except OSError:
        return ""


@contextmanager
def running_system(home: Path, root: Path = ROOT, **environment: str) -> Iterator[Running]:
    """Starts the system of `root` in `home` on a free port; on leaving nothing of it may run any more."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = {"VIDURA_PROFILE": "development", "WHISPER_FETCH": "false", **environment}
    with (home.parent / f"{home.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "graphql_api.supervise"],
            cwd=root,
            env={**inherited, **settings, "VIDURA_HOME": str(home), "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(url, process, Path(log.name))
            yield Running(url, home, process.pid)
        finally:
            everyone = Watch(family(process.pid))
            process.terminate()
            process.wait(30)
            assert everyone.left(10) == []


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(f"{url}/status", timeout=2).json()["ready"]:
                return
        except (httpx2.HTTPError, ValueError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"the system did not get ready:\n{log.read_text()[-4000:]}")
