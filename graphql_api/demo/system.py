"""The system that the demo talks to: the one that is there, else one that is started and stopped again."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from graphql_api.demo.answers import Failed
from graphql_api.demo.screen import Screen

ROOT = Path(__file__).parents[2]
READY_SECONDS = 180.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 3.0
TAIL_LINES = 8
SPEAKER = "vidura  "
"""What leads the supervisor's own lines."""


@contextmanager
def running_system(base: str, home: Path, screen: Screen) -> Iterator[None]:
    """A ready system at `base`; one that had to be started for this is stopped on leaving."""
    with httpx2.Client(base_url=base, timeout=ANSWER_SECONDS, trust_env=False) as http:
        if _answer(http, "/healthz").get("ok"):
            with screen.busy(f"using the Vidura at {base}"):
                _wait_ready(http, lambda: None)
            yield
            return
        log = home / "demo" / "system.log"
        process = _start(base, home, log)
        try:
            with screen.busy(f"starting Vidura at {base}, for this demo only (its log: {log})") as tell:
                _wait_ready(http, lambda: tell(_last_word(process, log)))
            yield
        finally:
            with screen.waiting("stopping Vidura"):
                _stop(process)


def _start(base: str, home: Path, log: Path) -> "subprocess.Popen[bytes]":
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.parent.mkdir(exist_ok=True)
    settings = {"VIDURA_HOME": str(home), "PORT": base.rpartition(":")[2], "VIDURA_FOLLOW_PARENT": "1"}
    with log.open("wb") as out:
        # In a session of its own: Ctrl-C is for us, and we stop it in good order.
        return subprocess.Popen(
            [sys.executable, "-m", "graphql_api.supervise"],
            cwd=ROOT,
            env={"VIDURA_PROFILE": "development", **os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _last_word(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """What the supervisor last said of its start; Failed, with the end of its log, when it has ended."""
    said = log.read_text(errors="replace").splitlines()
    if process.poll() is not None:
        raise Failed("\n".join(["Vidura did not start. It said:", *said[-TAIL_LINES:]]))
    steps = [line.partition(SPEAKER)[2] for line in said if line.lstrip().startswith(SPEAKER)]
    return steps[-1] if steps else ""


def _wait_ready(http: httpx2.Client, watch: Callable[[], None]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (found := _answer(http, "/status")).get("ready"):
        watch()
        if time.monotonic() > deadline:
            raise Failed(f"Vidura is not ready after {READY_SECONDS:.0f} seconds; its status is {found}.")
        time.sleep(0.2)


def _answer(http: httpx2.Client, path: str) -> dict[str, Any]:
    """The JSON object found there; empty while nobody answers, or somebody else does."""
    try:
        found = http.get(path).json()
    except (httpx2.TransportError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stops it in good order; every further Ctrl-C says that it is to hurry."""
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None:
        try:
            process.terminate()
            process.wait(max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            continue
        except subprocess.TimeoutExpired:
            # Its processes do not outlive it, whichever way it ends.
            process.kill()
            process.wait()
