"""Files that are whole or absent, also after a crash; and blocking work that keeps off the event loop."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from db.errors import InsufficientStorage

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


async def in_thread(work: Callable[Params, Answer], *args: Params.args, **kwargs: Params.kwargs) -> Answer:
    """Runs blocking `work` in a thread; a cancelled caller waits for it: nothing is closed under it."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


@contextmanager
def typed_disk_errors() -> Iterator[None]:
    """Turns a full disk or quota into InsufficientStorage."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InsufficientStorage("There is no room left to store this. Try again later.") from error


def place(draft: Path, target: Path) -> None:
    """Moves a finished file to its name, replacing what was there; both are on disk when this returns."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
