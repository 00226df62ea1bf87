"""Any one process is killed while a video is understood: the user sees the same end, and misses nothing."""

import asyncio
import os
import signal
import time
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.running import Running

pytestmark = pytest.mark.drill

RECOVERY_SECONDS = 35.0
VICTIMS = {
    "web": ("graphql_api.cli", "web"),
    "worker-media": ("graphql_api.cli", "worker", "media"),
    "worker-gpu": ("graphql_api.cli", "worker", "gpu"),
    "worker-io": ("graphql_api.cli", "worker", "io"),
    "control": ("graphql_api.cli", "control"),
    "inference-host": ("inference.host",),
    "media-child": ("tasks.media.child",),
    "redis": ("redis-server",),
    "postgres": ("postgres", "-D"),
}


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_kill_of_any_one_process_changes_nothing_but_the_time(
    system: Running, sample: Path, victim: str
) -> None:
    client = await Client.registered(system.url)
    upload = await client.create_upload(sample)
    updates: list[dict[str, Any]] = []
    killed: list[int] = []

    async def watch() -> None:
        async with aclosing(client.watch(upload.media_id)) as stream:
            async for update in stream:
                updates.append(update)
                event = update["event"] or {"type": None}
                if event["type"] == "stage.started" and update["stage"]["name"] == "frames" and not killed:
                    killed.extend(kill(system, victim))
                if event["type"] == "video.processed":
                    return

    watching = asyncio.create_task(watch())
    began = time.monotonic()
    await client.complete(upload)
    await asyncio.wait_for(watching, RECOVERY_SECONDS + 20)
    print(f"{victim}: the whole job took {time.monotonic() - began:.1f} s")  # noqa: T201

    assert killed, "nothing was killed"
    assert updates[-1]["media"]["status"] == "ANALYZED"
    kept = [u["event"] for u in updates if u["event"] and u["event"]["type"] != "analysis.progress"]
    cursors = [int(event["cursor"]) for event in kept]
    assert all(after > before for before, after in pairwise(cursors))
    everything = await client.watch_to_end(upload.media_id, after="0")
    stages = await client.stages_for("VIDEO")
    await client.close()
    assert [u["event"] for u in everything if u["kind"] == "EVENT"] == kept, "an event was missed"
    ends = [event["stage"] for event in kept if event["type"] == "stage.finished"]
    assert sorted(ends) == sorted(stages), "every stage ends once"


def kill(system: Running, victim: str) -> list[int]:
    """Kills every process of that name; the ids of those that were there."""
    found = system.processes(*VICTIMS[victim])
    if victim == "postgres":
        # Its first process is the server; the others are its own children.
        found = found[:1]
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found
