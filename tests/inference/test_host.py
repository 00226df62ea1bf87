"""The inference host as a worker meets it: warm, batching, and back soon after it died."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.capabilities import Answer, EngineBroke, HostGone, Unavailable
from inference.host import Host
from inference.options import Options
from tests.inference.conftest import Gate, started
from tests.support.processes import Watch


def embed(
    host: Host, *texts: str, deadline: float = 30.0, model: str = "trial"
) -> "asyncio.Task[Answer[Any]]":
    """Asks at once; to be awaited for the answer."""
    arguments = {"texts": list(texts), "query": False}
    return asyncio.create_task(host.call(model, "embed_text", arguments, deadline))


async def seen_by(host: Host) -> None:
    """Everything sent before has reached the host: another lane has answered what was sent last."""
    await embed(host, "ping", model="hashing")


def sizes(answers: list[Answer[Any]]) -> list[int]:
    return [int(row[0]) for answer in answers for row in answer.value.values]


async def test_a_host_says_which_models_it_has_and_answers(options: Options, checkout: Path) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        answer = await embed(host, "one", "two")

        assert host.cards is not None
        cards = {card.name: card for card in host.cards}
        assert cards["trial"].loaded
        assert cards["trial"].device == "cpu"
        assert cards["trial"].calls == 1
        assert cards["trial"].mean_seconds is not None
        assert cards["clip"].available_reason == "VISION_MODEL is not set"
        assert (answer.model, answer.version, answer.engine) == ("trial", "7", "trial@7")
        assert answer.value.values.dtype == np.float32


async def test_calls_that_wait_are_answered_by_one_batch(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        first = embed(host, str(gate))
        await gate.reached()
        others = [embed(host, f"text {n}") for n in range(8)]
        await seen_by(host)
        gate.open()

        assert sizes([await first]) == [1]
        assert sizes(list(await asyncio.gather(*others))) == [8] * 8


async def test_a_call_larger_than_a_batch_is_answered_whole(options: Options, checkout: Path) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        assert sizes([await embed(host, *"abcdefghijklmnopqrst")]) == [8] * 16 + [4] * 4


async def test_one_bad_item_does_not_spoil_the_batch_for_others(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        first = embed(host, str(gate))
        await gate.reached()
        good, bad, fine = embed(host, "good"), embed(host, "fail cannot be read"), embed(host, "fine")
        await seen_by(host)
        gate.open()

        await asyncio.gather(first, good, fine)
        with pytest.raises(EngineBroke, match="trial: ValueError: cannot be read") as caught:
            await bad
        assert not caught.value.transient


async def test_after_kill_9_calls_in_flight_say_so_and_the_next_one_is_answered(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        running = embed(host, str(gate))
        await gate.reached()
        waiting = embed(host, "next in line")
        await seen_by(host)
        killed = host.pid
        assert killed is not None

        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        gone = await asyncio.gather(running, waiting, return_exceptions=True)
        answer = await embed(host, "again")

        assert [type(error) for error in gone] == [HostGone, HostGone]
        assert [getattr(error, "running", None) for error in gone] == [True, False]
        assert sizes([answer]) == [1]
        assert host.pid not in (None, killed)
        assert time.monotonic() - began < 5.0


async def test_a_call_past_its_deadline_ends_the_host_and_its_mates_are_not_to_blame(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        slow = embed(host, str(gate), deadline=0.2)
        await gate.reached()
        mate = embed(host, "patient")

        with pytest.raises(EngineBroke, match=r"no answer within 0\.2 s") as caught:
            await slow
        with pytest.raises(HostGone, match="past its deadline"):
            await mate
        assert caught.value.transient
        assert sizes([await embed(host, "again")]) == [1]


async def test_waiting_for_its_turn_does_not_count_towards_a_deadline(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        first = embed(host, str(gate))
        await gate.reached()
        second = embed(host, "quick", deadline=0.5)
        done, _ = await asyncio.wait([second], timeout=1.0)
        gate.open()

        assert not done
        assert sizes([await first, await second]) == [1, 1]


async def test_a_caller_that_gives_up_leaves_the_host_as_it_is(
    options: Options, checkout: Path, gate: Gate, tmp_path: Path
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        pid = host.pid
        first = embed(host, str(gate))
        await gate.reached()
        never_run = embed(host, str(Gate(tmp_path / "never")))
        await seen_by(host)
        first.cancel()
        never_run.cancel()
        await asyncio.wait([first, never_run])
        await seen_by(host)
        gate.open()

        assert sizes([await embed(host, "next")]) == [1]
        assert host.pid == pid
        assert host.in_flight == 0


async def test_a_model_that_kills_the_process_is_told_from_its_mates(
    options: Options, checkout: Path
) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        with pytest.raises(HostGone) as caught:
            await embed(host, "die")
        assert caught.value.running


async def test_a_host_that_takes_too_much_memory_is_ended(
    options: Options, checkout: Path, gate: Gate
) -> None:
    async with started(Host("cpu", options, memory_bytes=400 << 20, root=checkout)) as host:
        swell = embed(host, f"swell {600 << 20}")
        hold = embed(host, str(gate))

        with pytest.raises(HostGone, match="bytes of memory"):
            await hold
        await asyncio.wait([swell])


async def test_a_host_that_gives_no_sign_of_life_is_replaced(options: Options, checkout: Path) -> None:
    async with started(Host("cpu", options, silent_seconds=2.0, root=checkout)) as host:
        pid = host.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

        with pytest.raises(HostGone, match="no sign of life for 2 s") as caught:
            await embed(host, "anybody?")
        assert not caught.value.running
        assert sizes([await embed(host, "again")]) == [1]


async def test_a_host_that_cannot_start_is_reported_in_bounded_time(
    options: Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = Host("cpu", options, start_seconds=1.0, root=tmp_path)
    host.start()
    try:
        assert not await host.known()
    finally:
        await host.close()
    assert "No module named" in capfd.readouterr().err


async def test_a_broken_model_is_announced_and_said_to_be_broken(options: Options, checkout: Path) -> None:
    trial = checkout / "inference/models/trial.py"
    trial.write_text(
        trial.read_text() + "\n    def load(self, device: str) -> None:\n        raise OSError('torn file')\n"
    )
    async with started(Host("cpu", options, root=checkout)) as host:
        with pytest.raises(EngineBroke, match="trial could not be loaded: OSError: torn file"):
            await embed(host, "a")
        card = next(card for card in host.cards or () if card.key == "trial")
        assert card.broken
        assert card.available_reason == "could not be loaded: OSError: torn file"
        assert not card.loaded


async def test_a_model_that_is_not_there_is_unavailable(options: Options, checkout: Path) -> None:
    async with started(Host("cpu", options, root=checkout)) as host:
        with pytest.raises(Unavailable, match="sentences: TEXT_MODEL is not set"):
            await embed(host, "a", model="sentences")


def test_a_host_ends_with_the_process_that_started_it(options: Options, checkout: Path) -> None:
    code = (
        "import asyncio, pathlib\n"
        "from inference.host import Host\n"
        "from inference.options import Options\n"
        "async def main():\n"
        "    host = Host('cpu', Options(pathlib.Path('w')))\n"
        "    host.start()\n"
        "    await host.known()\n"
        "    print(host.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=checkout, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        watch = Watch([pid])
        worker.kill()

    assert watch.left(5.0) == []


def test_a_host_gets_no_secret_from_its_environment(
    options: Options, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def environment() -> bytes:
        async with started(Host("cpu", options, root=checkout)) as host:
            return Path(f"/proc/{host.pid}/environ").read_bytes()

    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    assert b"secret" not in asyncio.run(environment())
