"""The host's side of interactive calls: takes requests off the Redis lists for as long as the host lives."""

import asyncio
import base64
import binascii
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from inference.asking import REPLY_SECONDS, Ask, list_key
from inference.capabilities import Answer, EngineBroke, Unavailable, Vectors

WAIT_SECONDS = 2
PAUSE_SECONDS = 0.2
MOST_AT_ONCE = 32

AskModel = Callable[[str, dict[str, Any]], Awaitable[Answer[Vectors]]]


class Answering:
    """Serves the request lists of `capabilities` by `ask(capability, arguments)`, many at a time."""

    def __init__(self, redis_url: str, capabilities: Sequence[str], ask: AskModel) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_connect_timeout=2, socket_timeout=WAIT_SECONDS + 2, retry=Retry(NoBackoff(), 0)
        )
        self._lists = {list_key(capability): capability for capability in capabilities}
        self._ask = ask
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Takes and answers for ever; without Redis it keeps trying."""
        while True:
            try:
                await self._take()
            except (RedisError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)

    async def _take(self) -> None:
        found = await cast("Any", self._redis.blpop(list(self._lists), timeout=WAIT_SECONDS))
        if not found:
            return
        # The next request is taken while this one is answered: so they can share a batch.
        await self._slots.acquire()
        task = asyncio.create_task(self._serve(self._lists[found[0].decode()], found[1]))
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()

    async def _serve(self, capability: str, raw: bytes) -> None:
        ask = _parsed(raw)
        if ask is None or ask.expires_at < time.time():
            return
        reply = await self._reply(capability, ask)
        with contextlib.suppress(RedisError, OSError):
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.lpush(ask.reply, orjson.dumps({"id": ask.id, **reply}))
                pipeline.expire(ask.reply, REPLY_SECONDS)
                await pipeline.execute()

    async def _reply(self, capability: str, ask: Ask) -> dict[str, Any]:
        try:
            answer = await self._ask(capability, _arguments(capability, ask))
        except (Unavailable, EngineBroke) as error:
            return {"error": error.reason}
        except (ValueError, binascii.Error) as error:
            return {"error": str(error)}
        return {
            "values": answer.value.values[0].tolist(),
            "model": answer.model,
            "version": answer.version,
        }


def _parsed(raw: bytes) -> Ask | None:
    try:
        values = orjson.loads(raw)
        return Ask(**values) if isinstance(values, dict) else None
    except (orjson.JSONDecodeError, TypeError):
        return None


def _arguments(capability: str, ask: Ask) -> dict[str, Any]:
    if capability == "embed_image":
        return {"images": [base64.b64decode(ask.image or "", validate=True)]}
    texts = [ask.text or ""]
    return {"texts": texts, "query": True} if capability == "embed_text" else {"texts": texts}
