"""Child processes that never outlive the process that started them, and the user they run as."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from db.errors import Conflict, Unavailable

PR_SET_PDEATHSIG = 1
END_SECONDS = 5.0
UNPRIVILEGED = ("postgres", "pgserver", "nobody")
# Only root writes there, so nobody can slip us another binary, and a reboot leaves it alone.
CACHE = Path("/var/cache/vidura")


@dataclass(frozen=True)
class Launch:
    """What starts one child: its command, and options of `subprocess.Popen` (or of its asyncio twin)."""

    argv: tuple[str, ...]
    options: Mapping[str, Any]


def ends_with_parent(sent: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `sent` to the child once the thread that started it has ended.

    So start children from the main thread. `subprocess` calls it after its change of user, which would
    clear the request.
    """
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, int(sent))
        # A parent that died between fork and prctl will never send anything.
        if os.getppid() != parent:
            os._exit(1)

    return arm


def owner_of(folder: Path) -> dict[str, Any]:
    """Options that run a child as the owner of `folder`; none are needed unless we are root.

    A folder that does not exist yet gets the first unprivileged user of this machine. Raises `Conflict`
    where the folder is somebody else's.
    """
    owner = folder.stat() if folder.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise Conflict(
                f"{folder} belongs to user {owner.st_uid}: run as that user or set another VIDURA_HOME"
            )
        return {}
    if owner and owner.st_uid != 0:
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    user = _unprivileged()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _unprivileged() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable(
        f"root needs one of the users {', '.join(UNPRIVILEGED)} to run the embedded services as"
    )


def runnable(package: str, program: str, owner: Mapping[str, Any]) -> Path:
    """The `program` (a path) of an installed package where `owner` may run it, else of a copy open to all."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise Unavailable(f"{package} is not installed: make run installs it")
    folder = Path(spec.origin).parent
    try:
        subprocess.run([folder / program, "--version"], check=True, capture_output=True, cwd="/", **owner)
        return folder / program
    except PermissionError:  # a checkout below /root, say; opening that to others is not ours to do
        return _copied(package, folder.parent) / package / program


def _copied(package: str, site: Path) -> Path:
    copy = CACHE / f"{package}-{version(package)}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        for part in site.glob(f"{package}*"):
            shutil.copytree(part, fresh / part.name)
        for path in (CACHE, fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        fresh.rename(copy)
    return copy


def end_all(program: str, mark: str) -> list[int]:
    """Ends each process of `program` with `mark` in its command or title; returns those it cannot end."""
    left = _processes(program, mark)
    for sent in (signal.SIGQUIT, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, sent)
        deadline = time.monotonic() + END_SECONDS
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            left = _processes(program, mark)
    return left


def _processes(program: str, mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = (process / "cmdline").read_text(errors="replace")
            if mark in title and (process / "comm").read_text().strip() == program:
                found.append(int(process.name))
    return found
