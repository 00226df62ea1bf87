"""Runs one media job in a confined child process: the only way anything here opens somebody's file."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from tasks.media.confine import code_paths, landlock_abi
from tasks.media.limits import JSON, Limits, MediaJobFailed, MediaRefused

__all__ = ["JSON", "Limits", "MediaJobFailed", "MediaRefused", "run_job", "sandbox_layers"]

OnProgress = Callable[[int, int | None], Awaitable[None]]

_ROOT = Path(__file__).parents[2]
#: The longest answer: the frames of a six-hour video take about 5 MB.
_MAX_LINE = 64 * 1024**2
_TAIL_BYTES = 4096


async def run_job(
    job: str,
    arguments: dict[str, JSON],
    *,
    read: Sequence[Path],
    write: Path | None,
    limits: Limits,
    on_progress: OnProgress | None = None,
) -> dict[str, JSON]:
    """Calls `job` ("module:function", ours) in a child that may only read `read` and write below `write`.

    The child and its process group are gone when this returns or raises, cancelled or not. Raises
    MediaRefused (the file is to blame) or MediaJobFailed (the job is). Call it from the main thread's
    loop: the kernel kills the child when the thread that started it ends.
    """
    paths = [path.resolve(strict=True) for path in read]
    folder = write.resolve(strict=True) if write is not None else None
    message = _message(job, arguments, paths, folder, limits)
    process = await asyncio.create_subprocess_exec(
        *_command(paths, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=_ROOT,
        env=_environment(),
        start_new_session=True,
        limit=_MAX_LINE,
    )
    tail = asyncio.create_task(_tail(process))
    try:
        async with asyncio.timeout(limits.deadline_seconds) as deadline:
            answer = await _converse(process, message, on_progress)
            await process.wait()
    except TimeoutError:
        if not deadline.expired():
            raise
        reason = f"The job did not end within {limits.deadline_seconds:g} seconds and was stopped."
        raise MediaJobFailed("TIMEOUT", reason) from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(asyncio.gather(process.wait(), tail))
    return _result(answer, process.returncode or 0, tail.result(), limits)


@cache
def sandbox_layers() -> list[str]:
    """The walls that really stand around a child on this machine, as a child reports them (~0.1 s, once).

    Without "landlock" or "bubblewrap" a child could read other files: production should refuse to start.
    """
    message = _message("tasks.media.child.nothing:work", {}, [], None, Limits())
    done = subprocess.run(
        _command([], None),
        input=message,
        capture_output=True,
        cwd=_ROOT,
        env=_environment(),
        timeout=30,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    layers: list[str] = answers[0]["layers"] if answers else []
    return ["bubblewrap", *layers] if layers and _bubblewrap() else layers


def _message(
    job: str, arguments: dict[str, JSON], read: list[Path], write: Path | None, limits: Limits
) -> bytes:
    body = {
        "job": job,
        "arguments": arguments,
        "read": [str(path) for path in read],
        "write": str(write) if write is not None else None,
        "limits": asdict(limits),
        # Within bubblewrap the parent has another number; bubblewrap itself dies with us.
        "parent": 0 if _bubblewrap() else os.getpid(),
    }
    return json.dumps(body).encode()


def _environment() -> dict[str, str]:
    """What the child needs to start, and nothing it could give away."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    # Every arena and every BLAS thread reserves address space, which RLIMIT_AS counts.
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2"}
    return {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **threads, **kept}


def _command(read: list[Path], write: Path | None) -> list[str]:
    python = [sys.executable, "-m", "tasks.media.child"]
    bubblewrap = _bubblewrap()
    if not bubblewrap:
        return python
    code = {*code_paths(), Path(sys.prefix), Path(sys.base_prefix), _ROOT / "tasks"}
    shown = [word for path in sorted({*code, *read}) for word in ("--ro-bind-try", str(path), str(path))]
    changed = ["--bind", str(write), str(write)] if write is not None else []
    return [*bubblewrap, *shown, *changed, "--chdir", str(_ROOT), *python]


@cache
def _bubblewrap() -> list[str]:
    """What walls a child in where the kernel has no Landlock; empty where it has, or where that fails too."""
    found = shutil.which("bwrap")
    if landlock_abi() or found is None:
        return []
    command = [found, "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev", "--unshare-all"]
    command += ["--cap-drop", "ALL", "--die-with-parent", "--new-session"]
    tried = subprocess.run([*command, "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


async def _tail(process: asyncio.subprocess.Process) -> str:
    """The last of what the child wrote to standard error; reading it all keeps the child from blocking."""
    assert process.stderr is not None
    kept = b""
    while chunk := await process.stderr.read(65536):
        kept = (kept + chunk)[-_TAIL_BYTES:]
    return kept.decode(errors="replace")


async def _converse(
    process: asyncio.subprocess.Process, message: bytes, on_progress: OnProgress | None
) -> dict[str, Any]:
    """Sends the job, hands on progress, and returns the answer; empty where the child ended without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(ConnectionError):
        process.stdin.write(message)
        await process.stdin.drain()
    process.stdin.close()
    answer: dict[str, Any] = {}
    while said := await _said(process.stdout):
        if "progress" in said:
            if on_progress is not None:
                await on_progress(*said["progress"])
        elif "layers" not in said:
            answer = said
    return answer


async def _said(stdout: asyncio.StreamReader) -> dict[str, Any] | None:
    try:
        line = await stdout.readline()
        said = json.loads(line) if line else None
        if said is None or isinstance(said, dict):
            return said
    except ValueError:
        pass
    raise MediaJobFailed("CRASHED", "The job gave an answer that could not be read.")


def _result(answer: dict[str, Any], code: int, tail: str, limits: Limits) -> dict[str, JSON]:
    if "refused" in answer:
        raise MediaRefused(*answer["refused"])
    if "failed" in answer:
        raise MediaJobFailed(*answer["failed"])
    if "result" in answer and code == 0:
        result: dict[str, JSON] = answer["result"]
        return result
    raise _death(code, tail, limits)


def _death(code: int, tail: str, limits: Limits) -> MediaJobFailed:
    last = tail.strip().splitlines()[-1:] or ["it left no message"]
    if any(
        word in tail for word in ("MemoryError", "bad_alloc", "Cannot allocate memory", "Insufficient memory")
    ):
        return MediaJobFailed(
            "MEMORY", f"The job needed more than its {limits.memory_bytes >> 20} MB of memory."
        )
    if code == -signal.SIGXCPU:
        return MediaJobFailed(
            "TIMEOUT", f"The job used more than its {limits.cpu_seconds} seconds of CPU time."
        )
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return MediaJobFailed("CRASHED", f"The job {how}: {last[0][:300]}.")
