"""The child that opens media reaches nothing else, and is always gone afterwards."""

import asyncio
import ctypes
import errno
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tasks.media.sandbox import JSON, Limits, MediaJobFailed, run_job, sandbox_layers
from tests.support.media import playlist, video
from tests.tasks.media import hostile

_IN_OPEN, _NONBLOCKING = 0x20, 0o4000


async def hostile_job(
    name: str,
    limits: Limits,
    *,
    read: list[Path] | None = None,
    write: Path | None = None,
    **arguments: JSON,
) -> dict[str, JSON]:
    job = f"tests.tasks.media.hostile:{name}"
    return await run_job(job, arguments, read=read or [], write=write, limits=limits)


@contextmanager
def opens_of(path: Path) -> Iterator[list[str]]:
    """Fills the list with a word for every time anybody opened `path` while the block ran."""
    libc, seen = ctypes.CDLL(None, use_errno=True), list[str]()
    watch = libc.inotify_init1(_NONBLOCKING)
    assert libc.inotify_add_watch(watch, os.fsencode(path), _IN_OPEN) >= 0
    try:
        yield seen
        with suppress(BlockingIOError):
            seen.extend("opened" for _ in range(len(os.read(watch, 65536)) // 16))
    finally:
        os.close(watch)


async def ended(pid: int) -> None:
    """Returns when the process is gone, at once where it already is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = await asyncio.to_thread(select.select, [handle], [], [], 10)
        assert ready, f"process {pid} is still there"
    finally:
        os.close(handle)


def test_this_machine_walls_its_children_in() -> None:
    layers = sandbox_layers()

    assert {"resource-limits", "no-new-privileges", "no-capabilities"} <= set(layers)
    assert {"landlock", "bubblewrap"} & set(layers)


async def test_a_taken_over_child_reaches_nothing(tmp_path: Path, limits: Limits) -> None:
    secret, outside, folder = tmp_path / "secret", tmp_path / "outside", tmp_path / "out"
    secret.write_text("key")
    outside.mkdir()
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with opens_of(secret) as opens:
            met = await hostile_job(
                "reach_out",
                limits,
                write=folder,
                secret=str(secret),
                outside=str(outside),
                folder=str(folder),
                port=listener.getsockname()[1],
            )
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert {name for name, error in met.items() if error is None} == set()
    assert met["read"] == met["write"] == met["passwd"] == "EACCES"
    assert opens == []
    assert list(outside.iterdir()) == []


async def test_an_honest_child_reads_its_file_and_writes_its_folder(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    source, folder = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"media")
    folder.mkdir()

    told = await hostile_job(
        "work_inside", limits, read=[source], write=folder, path=str(source), folder=str(folder)
    )

    assert (folder / "deeper" / "renamed").read_bytes() == b"media"
    assert "DATABASE_URL" not in told["environment"]  # type: ignore[operator]


async def test_even_a_decoder_that_follows_a_playlist_finds_no_other_file(
    tmp_path: Path, shelf: Path, limits: Limits
) -> None:
    sibling = tmp_path / "sibling.ts"
    sibling.write_bytes(_transport_stream(shelf))
    local = playlist(tmp_path, f"file://{sibling}", "file:///etc/passwd")
    with opens_of(sibling) as control:
        hostile.follow_playlist({"path": str(local)}, limits, lambda done, total: None)

    with opens_of(sibling) as opens, pytest.raises(MediaJobFailed):
        await hostile_job("follow_playlist", limits, read=[local], path=str(local))

    assert control, "libav follows the playlist where nothing stops it: the check can see an open"
    assert opens == []


def _transport_stream(shelf: Path) -> bytes:
    path = shelf / "sibling.ts"
    with av.open(str(video(shelf, sound=None))) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path.read_bytes()


async def test_a_hanging_child_is_killed_at_its_deadline_with_its_group(limits: Limits) -> None:
    seen: list[int] = []

    async def note(done: int, total: int | None) -> None:
        seen.append(done)

    with pytest.raises(MediaJobFailed) as failure:
        await run_job(
            "tests.tasks.media.hostile:hang",
            {},
            read=[],
            write=None,
            limits=replace(limits, deadline_seconds=1.0),
            on_progress=note,
        )

    assert failure.value.code == "TIMEOUT"
    assert "1 seconds" in failure.value.reason
    with pytest.raises(ProcessLookupError):
        os.killpg(seen[0], 0)


async def test_a_cancelled_job_leaves_no_process(limits: Limits) -> None:
    child: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def note(done: int, total: int | None) -> None:
        child.set_result(done)

    job = asyncio.create_task(
        run_job("tests.tasks.media.hostile:hang", {}, read=[], write=None, limits=limits, on_progress=note)
    )
    pid = await child
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


async def test_a_failing_progress_callback_ends_the_job_and_its_child(limits: Limits) -> None:
    seen: list[int] = []

    async def note(done: int, total: int | None) -> None:
        seen.append(done)
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        await run_job(
            "tests.tasks.media.hostile:hang", {}, read=[], write=None, limits=limits, on_progress=note
        )

    with pytest.raises(ProcessLookupError):
        os.killpg(seen[0], 0)


_WORKER = """
import asyncio, sys
from tasks.media.sandbox import Limits, run_job

async def note(done, total):
    print(done, flush=True)

job = "tests.tasks.media.hostile:hang"
asyncio.run(run_job(job, {}, read=[], write=None, limits=Limits(), on_progress=note))
"""


async def test_a_killed_worker_takes_its_child_along() -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert worker.stdout is not None
    child = int(await worker.stdout.readline())

    os.kill(worker.pid, signal.SIGKILL)
    await worker.wait()

    await ended(child)


async def test_a_memory_bomb_ends_as_memory(limits: Limits) -> None:
    with pytest.raises(MediaJobFailed) as failure:
        await hostile_job("swallow_memory", replace(limits, memory_bytes=512 << 20))

    assert failure.value.code == "MEMORY"
    assert "512 MB" in failure.value.reason


async def test_endless_computing_ends_by_the_cpu_limit(limits: Limits) -> None:
    with pytest.raises(MediaJobFailed) as failure:
        await hostile_job("burn", replace(limits, cpu_seconds=1))

    assert failure.value.code == "TIMEOUT"


async def test_a_job_that_writes_too_much_ends_as_disk_full(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(MediaJobFailed) as failure:
        await hostile_job(
            "fill_disk", replace(limits, file_bytes=4 << 20), write=tmp_path, folder=str(tmp_path)
        )

    assert failure.value.code == "DISK_FULL"
    assert (tmp_path / "big").stat().st_size == 4 << 20


@pytest.mark.parametrize(("job", "why"), [("crash", "SIGSEGV"), ("raise_error", "no such thing")])
async def test_a_crash_says_how_the_child_ended(job: str, why: str, limits: Limits) -> None:
    with pytest.raises(MediaJobFailed) as failure:
        await hostile_job(job, limits)

    assert failure.value.code == "CRASHED"
    assert why in failure.value.reason


async def test_what_a_library_prints_is_not_an_answer(limits: Limits) -> None:
    assert await hostile_job("babble", limits) == {"answer": True}


async def test_an_answer_that_is_no_json_is_a_crash(limits: Limits) -> None:
    with pytest.raises(MediaJobFailed) as failure:
        await hostile_job("lie", limits)

    assert failure.value.code == "CRASHED"


async def test_progress_is_thinned_out_before_it_crosses_the_wall(limits: Limits) -> None:
    steps: list[tuple[int, int | None]] = []

    async def note(done: int, total: int | None) -> None:
        steps.append((done, total))

    await run_job("tests.tasks.media.hostile:count", {}, read=[], write=None, limits=limits, on_progress=note)

    assert steps[0] == (0, 10_000)
    assert len(steps) < 10


async def test_a_missing_file_is_the_callers_error_and_starts_no_child(
    tmp_path: Path, limits: Limits
) -> None:
    with pytest.raises(FileNotFoundError) as error:
        await hostile_job("count", limits, read=[tmp_path / "gone"])

    assert error.value.errno == errno.ENOENT


async def test_many_jobs_run_side_by_side(limits: Limits) -> None:
    answers = await asyncio.gather(*(hostile_job("babble", limits) for _ in range(6)))

    assert json.dumps(answers) == json.dumps([{"answer": True}] * 6)
