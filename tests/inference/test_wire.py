"""Frames between a worker and its hosts."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference import wire
from inference.capabilities import Segment, Word


async def received(frame: bytes) -> dict[str, Any]:
    reader = asyncio.StreamReader()
    reader.feed_data(frame)
    reader.feed_eof()
    return await wire.receive(reader)


async def test_bytes_arrays_paths_and_dataclasses_arrive_as_they_were_sent() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    segment = Segment("ahoy", 0.5, 1.5, None, (Word("ahoy", 0.5, 1.5, 0.25),))
    message = {"images": [b"\x00\xff", b""], "vectors": vectors, "audio": Path("/a/b"), "segment": segment}

    got = await received(wire.encode(message))

    assert got["images"] == [b"\x00\xff", b""]
    np.testing.assert_array_equal(got["vectors"], vectors)
    assert got["vectors"].dtype == np.float32
    assert got["audio"] == "/a/b"
    assert got["segment"]["words"][0] == {"text": "ahoy", "start": 0.5, "end": 1.5, "confidence": 0.25}


async def test_a_text_that_looks_like_a_buffer_stays_a_text() -> None:
    assert await received(wire.encode({"texts": ['{"$bytes": 0}']})) == {"texts": ['{"$bytes": 0}']}


async def test_a_frame_that_is_cut_short_is_an_end_of_file() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await received(wire.encode({"images": [b"1234"]})[:-1])


async def test_an_absurd_length_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(wire.BadFrame):
        await received(wire.LENGTH.pack(0xFFFFFFFF) + b"{}")
