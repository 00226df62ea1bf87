"""Which waiting calls run together."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.capabilities import Vectors
from inference.lanes import LONGEST_BATCH_SECONDS, Call, Lane, next_batch
from inference.options import Options
from inference.registry import Model


class Slow(Model):
    """Needs 20 ms for each text, and says how many it got at once."""

    name = "slow"
    version = "1"
    capabilities = ("embed_text",)
    batch = 64

    def embed_text(self, texts: Sequence[str], query: bool) -> Vectors:
        time.sleep(0.02 * len(texts))
        return Vectors(np.full((len(texts), 1), len(texts), np.float32))


def embed(*texts: str, query: bool = False, urgent: bool = False) -> Call:
    return Call("embed_text", {"texts": list(texts), "query": query}, urgent)


def items(waiting: list[Call], most: int) -> list[Any]:
    return [list(share.items) for share in next_batch(waiting, most)]


async def test_calls_for_the_same_thing_share_a_batch_in_the_order_they_came() -> None:
    assert items([embed("a", "b"), embed("c"), embed("d")], 8) == [["a", "b"], ["c"], ["d"]]


async def test_a_batch_is_never_larger_than_the_model_wants() -> None:
    assert items([embed("a", "b"), embed("c", "d", "e")], 3) == [["a", "b"], ["c"]]


async def test_a_call_goes_on_where_its_last_batch_ended() -> None:
    call = embed("a", "b", "c")
    call.taken = 2

    assert items([call], 2) == [["c"]]


async def test_an_urgent_call_is_first_however_late_it_came() -> None:
    assert items([embed("a"), embed("now", urgent=True)], 1) == [["now"]]


async def test_calls_that_differ_in_more_than_their_items_stay_apart() -> None:
    assert items([embed("a"), embed("b", query=True), embed("c")], 8) == [["a"], ["c"]]


async def test_a_call_without_items_runs_alone() -> None:
    calls = [Call("transcribe", {"audio": "x", "language": None}) for _ in range(2)]

    assert len(next_batch(calls, 8)) == 1


async def test_a_slow_device_gets_small_batches_so_that_urgent_calls_wait_little(options: Options) -> None:
    lane = Lane(Slow(options), "cpu", asyncio.Lock())
    running = asyncio.create_task(lane.run())
    sizes: Any = await lane.ask(embed(*["text"] * 160))
    running.cancel()

    assert sizes.values[0, 0] == 64
    assert sizes.values[-1, 0] * 0.02 <= LONGEST_BATCH_SECONDS
    assert sizes.values[-1, 0] > 1
