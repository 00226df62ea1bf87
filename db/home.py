"""The folder that holds all state of one system: its lock, its logs and its ports."""

import fcntl
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import Conflict

# Below the kernel's range of outgoing ports: a client that retries there while the service is away
# could be given that very port, connect to itself, and keep the service from coming back.
PORTS = range(20_000, 30_000)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Makes `home` and holds it for this process alone; `Conflict` where another has it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = f"{home} is in use by process {lock.read()}"
            raise Conflict(f"{holder}: stop it, or set another VIDURA_HOME") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        (home / "logs").mkdir(exist_ok=True)
        yield


def log_path(home: Path, name: str) -> Path:
    """Where the output of process `name` is kept."""
    return home / "logs" / f"{name}.log"


def tail(log: Path, lines: int = 12) -> str:
    """The end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def settled_port(path: Path) -> int:
    """The port on 127.0.0.1 that `path` remembers; another, remembered too, where something has taken it."""
    port = int(path.read_text()) if path.exists() else 0
    while not _is_free(port):
        port = random.choice(PORTS)
    path.write_text(str(port))
    return port


def _is_free(port: int) -> bool:
    if port not in PORTS:
        return False
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
