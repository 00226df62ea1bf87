"""Blocking work and files that are whole or absent."""

import asyncio
import errno
import threading

import pytest

from db.durable import in_thread, typed_disk_errors
from db.errors import InsufficientStorage


async def test_a_cancelled_caller_waits_until_the_work_has_ended() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()
        ended.set()

    caller = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


def test_only_a_full_disk_becomes_insufficient_storage() -> None:
    with pytest.raises(InsufficientStorage), typed_disk_errors():
        raise OSError(errno.ENOSPC, "full")
    with pytest.raises(PermissionError), typed_disk_errors():
        raise PermissionError(errno.EACCES, "no")
