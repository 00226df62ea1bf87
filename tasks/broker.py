"""The Dramatiq broker: it moves stage keys to warm workers, and nothing else.

Our state machine is in SQL, so a lost or doubled key does no harm: the dispatcher sends it again, the
claim lets one through. That leaves a list per queue, a push and a blocking pop.
"""

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, cast

import redis
from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import QueueNotFound

ACTOR = "run_stage"
POP_SECONDS = 1
LONGEST_PAUSE = 1.0


def list_name(queue: str) -> str:
    """The Redis list of a queue."""
    return f"vidura:queue:{queue}"


class KeyBroker(Broker):
    """Pushes to and pops from Redis lists; a consumer pops only what it has a free slot for."""

    def __init__(self, url: str, slots: int = 1) -> None:
        super().__init__(middleware=[])
        self.queues: dict[str, None] = {}
        self._slots = slots
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=POP_SECONDS + 4)

    def declare_queue(self, queue_name: str) -> None:
        """Queues are lists and need no making."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Pushes one message; delays are rows in SQL, never messages."""
        self._redis.lpush(list_name(message.queue_name), message.encode())
        return message

    def enqueue_keys(self, queue: str, keys: Iterable[str]) -> None:
        """Pushes stage keys of one queue in a single command, in order."""
        messages = [
            Message(queue_name=queue, actor_name=ACTOR, args=(key,), kwargs={}, options={}).encode()
            for key in keys
        ]
        self._redis.lpush(list_name(queue), *messages)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> "KeyConsumer":
        """A blocking consumer of one queue."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]
        return KeyConsumer(self._redis, list_name(queue_name), self._slots)

    def close(self) -> None:
        """Closes the connections to Redis."""
        self._redis.close()


class KeyConsumer(Consumer):
    """Waits for a free slot, then for a key; a Redis that is away is asked again after a pause."""

    def __init__(self, connection: redis.Redis, name: str, slots: int) -> None:
        self._redis = connection
        self._name = name
        self._free = threading.Semaphore(slots)
        self._pause = 0.0

    def __next__(self) -> MessageProxy | None:
        """The next message, or None after a while without one."""
        if not self._free.acquire(timeout=POP_SECONDS):
            return None
        message = self._pop()
        if message is None:
            self._free.release()
        return message

    def _pop(self) -> MessageProxy | None:
        try:
            found = self._redis.brpop([self._name], timeout=POP_SECONDS)
        except redis.RedisError:
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or 0.05)
            time.sleep(self._pause)
            return None
        self._pause = 0.0
        return MessageProxy(Message.decode(cast("bytes", found[1]))) if found else None

    def ack(self, message: MessageProxy) -> None:
        """The slot is free again; there is nothing to tell Redis."""
        self._free.release()

    def nack(self, message: MessageProxy) -> None:
        """Failing is a row in SQL, too."""
        self._free.release()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Keys not begun when a worker stops are the next to be taken by another."""
        with contextlib.suppress(redis.RedisError):
            for message in messages:
                self._redis.rpush(self._name, message.encode())
