"""The child's side of one media job: raise the walls, do the job, answer in JSON lines on standard output."""

import errno
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.media.confine import code_paths, confine, die_with
from tasks.media.limits import JSON, Limits, MediaJobFailed, MediaRefused, Report

_PROGRESS_SECONDS = 0.25


def main() -> None:
    """Reads one job from standard input, does it confined, and writes progress and one answer."""
    job = json.load(sys.stdin)
    die_with(job["parent"])
    say = _answers()
    module, _, function = job["job"].partition(":")
    read = [Path(path) for path in job["read"]]
    write = Path(job["write"]) if job["write"] else None
    # Only the folder that holds the job's code is readable of the checkout: uploads and keys may lie in it.
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    code = [*code_paths(), Path(__file__).parents[1], Path(spec.origin).parent]
    limits = Limits(**job["limits"])
    layers = confine(limits, code, read, write)
    say({"layers": list(layers)})
    say(_outcome(lambda: getattr(importlib.import_module(module), function), job["arguments"], limits, say))


def _answers() -> Callable[[dict[str, JSON]], None]:
    """Keeps standard output for answers alone: what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer: dict[str, JSON]) -> None:
        out.write(json.dumps(answer, allow_nan=False) + "\n")
        out.flush()

    return say


def _outcome(
    find: Callable[[], Any],
    arguments: dict[str, JSON],
    limits: Limits,
    say: Callable[[dict[str, JSON]], None],
) -> dict[str, JSON]:
    try:
        return {"result": find()(arguments, limits, _report(say))}
    except MediaRefused as refusal:
        return {"refused": [refusal.code, refusal.reason]}
    except MediaJobFailed as failure:
        return {"failed": [failure.code, failure.reason]}
    except MemoryError:
        return {
            "failed": ["MEMORY", f"The job needed more than its {limits.memory_bytes >> 20} MB of memory."]
        }
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            return {"failed": ["DISK_FULL", f"The job could not write its files: {error.strerror}."]}
        raise


def _report(say: Callable[[dict[str, JSON]], None]) -> Report:
    last = 0.0

    def report(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            say({"progress": [done, total]})

    return report


if __name__ == "__main__":
    main()
