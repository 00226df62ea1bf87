"""Asking an inference host for one vector at once, past the pipeline: what the web does for a search."""

import asyncio
import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import orjson
from redis.exceptions import RedisError

from inference.capabilities import Vector

if TYPE_CHECKING:
    from redis.asyncio import Redis

REPLY_SECONDS = 10


@dataclass(frozen=True)
class Ask:
    """One interactive request, as it stands in Redis; worthless after `expires_at` (Unix seconds)."""

    id: str
    reply: str
    expires_at: float
    text: str | None = None
    image: str | None = None


def list_key(capability: str) -> str:
    """The Redis list of the requests for one capability."""
    return f"vidura:ask:{capability}"


async def ask_text_vector(
    redis: "Redis", text: str, timeout: float = 0.3, capability: str = "embed_text"
) -> Vector | None:
    """The vector of what somebody looks for, or None if nobody answers within `timeout` seconds.

    `capability` is `embed_visual_text` for a vector to be compared with those of pictures.
    """
    return await _ask(redis, capability, timeout, {"text": text})


async def ask_image_vector(redis: "Redis", image: bytes, timeout: float = 0.3) -> Vector | None:
    """The vector of a JPEG or PNG, or None if nobody answers within `timeout` seconds."""
    return await _ask(redis, "embed_image", timeout, {"image": base64.b64encode(image).decode()})


async def _ask(redis: "Redis", capability: str, timeout: float, what: dict[str, str]) -> Vector | None:
    name = uuid4().hex
    request = {"id": name, "reply": f"vidura:reply:{name}", "expires_at": time.time() + timeout, **what}
    try:
        async with asyncio.timeout(timeout):
            return _vector(await _exchange(redis, capability, request))
    except (RedisError, OSError, TimeoutError, ValueError):
        return None


async def _exchange(redis: "Redis", capability: str, request: dict[str, Any]) -> bytes | None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.rpush(list_key(capability), orjson.dumps(request))
        # Without a host nobody takes requests off the list: it must not grow for ever.
        pipeline.expire(list_key(capability), REPLY_SECONDS)
        await pipeline.execute()
    remaining = max(0.01, request["expires_at"] - time.time())
    found = await cast("Any", redis.blpop([request["reply"]], timeout=remaining))
    return found[1] if found else None


def _vector(reply: bytes | None) -> Vector | None:
    answer = orjson.loads(reply) if reply else {}
    if "values" not in answer:
        return None
    return Vector(tuple(answer["values"]), answer["model"], answer["version"])
