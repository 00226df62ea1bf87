"""Messages between a worker and its inference hosts: a JSON head and raw buffers, length first; no pickle."""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

LENGTH = struct.Struct(">I")
MOST_BYTES = 1 << 30
ARRAY_TYPES = {"float32": np.float32}


class BadFrame(Exception):
    """The other side does not speak this protocol."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One frame: the head's length, the head, then every buffer that stands in the message."""
    buffers: list[bytes] = []
    body = _pack(message, buffers)
    head = orjson.dumps({"body": body, "sizes": [len(buffer) for buffer in buffers]})
    return b"".join([LENGTH.pack(len(head)), head, *buffers])


async def receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The next message; raises IncompleteReadError at the end, BadFrame for what is none."""
    head = orjson.loads(await _exactly(reader, LENGTH.unpack(await reader.readexactly(LENGTH.size))[0]))
    buffers = [await _exactly(reader, size) for size in head["sizes"]]
    message: dict[str, Any] = _unpack(head["body"], buffers)
    return message


async def _exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    if size > MOST_BYTES:
        raise BadFrame(f"a part of {size} bytes")
    return await reader.readexactly(size)


def _pack(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, bytes):
        buffers.append(value)
        return {"$bytes": len(buffers) - 1}
    if isinstance(value, np.ndarray):
        buffers.append(np.ascontiguousarray(value).tobytes())
        return {"$array": len(buffers) - 1, "type": value.dtype.name, "shape": value.shape}
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _pack(getattr(value, f.name), buffers) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _pack(item, buffers) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pack(item, buffers) for item in value]
    return value


def _unpack(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, buffers) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return buffers[value["$bytes"]]
    if "$array" in value:
        flat = np.frombuffer(buffers[value["$array"]], ARRAY_TYPES[value["type"]])
        return flat.reshape(value["shape"])
    return {key: _unpack(item, buffers) for key, item in value.items()}
