"""The hub: one Redis connection feeds every subscriber of a process; Postgres fills what Redis lost."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from db.connection import AWAY, Database, going_on
from tasks.bus import ANNOUNCE, channel, encode, unframe

log = logging.getLogger("vidura.hub")

SILENCE_SECONDS = 3.0
"""The relay announces its head every second; longer silence means that the connection is dead."""
ENDED = 64
"""How many ended stages a feed remembers, to drop progress that comes late."""
WAITING = 256
"""Durable events a subscriber may leave unread before it is told to come back later."""


class SlowConsumer(Exception):
    """A subscriber does not keep up; it must reconnect and resume by its cursor."""


@dataclass(slots=True)
class Message:
    """An event on its way: `seq` is None for progress, which is not kept."""

    seq: int | None
    body: dict[str, Any]

    @property
    def stage(self) -> str:
        """Id of the stage it is about: newer progress of the same stage replaces older."""
        return str((self.body["image"].get("stage") or {}).get("id"))


@dataclass(slots=True, eq=False)
class Feed:
    """What waits for one subscriber, oldest first; progress of one stage waits at most once."""

    last: int | None = None
    _waiting: deque[Message] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: deque[str] = field(default_factory=lambda: deque(maxlen=ENDED))
    _slow: bool = False

    def start(self, cursor: int) -> None:
        """Everything up to `cursor` is known already, and progress until then is of no more use."""
        self.last = cursor
        self._waiting = deque(m for m in self._waiting if m.seq is not None and m.seq > cursor)

    def offer(self, message: Message) -> None:
        """Takes a message unless it is old; never waits."""
        if message.seq is None:
            # What was read from Postgres may have overtaken progress that was on its way.
            if message.stage in self._ended:
                return
            for waiting in self._waiting:
                if waiting.seq is None and waiting.stage == message.stage:
                    waiting.body = message.body
                    return
        elif self.last is not None:
            if message.seq <= self.last:
                return
            self.last = message.seq
        if message.body["type"] == "stage.finished":
            self._ended.append(message.stage)
        elif message.body["type"] == "stage.started" and message.stage in self._ended:
            self._ended.remove(message.stage)
        self._slow = self._slow or len(self._waiting) >= WAITING
        self._waiting.append(message)
        self._wake.set()

    async def next(self, timeout: float) -> Message | None:
        """The next message, or None after `timeout` seconds without one; raises SlowConsumer."""
        if not self._waiting:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                return None
        if self._slow:
            raise SlowConsumer
        return self._waiting.popleft()


@dataclass(slots=True, eq=False)
class Topic:
    """One topic's subscribers here, and how far they have been served."""

    name: str
    feeds: set[Feed] = field(default_factory=set)
    last: int | None = None
    seen: int = 0
    stale: bool = False
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    filling: asyncio.Task[None] | None = None

    def deliver(self, message: Message) -> None:
        """Hands a message to every subscriber."""
        if message.seq is not None:
            self.last = message.seq
        for feed in self.feeds:
            feed.offer(message)


class Hub:
    """Live events for all subscribers of this process; `run` it as a task."""

    def __init__(self, redis_url: str, database: Database) -> None:
        self._url = redis_url
        self._database = database
        self._topics: dict[str, Topic] = {}
        self._pubsub: PubSub | None = None
        # Subscribing from several tasks at once loses subscriptions in redis-py.
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether Redis is there; without it events come a second later, from Postgres."""
        return self._pubsub is not None

    async def run(self) -> None:
        """Listens until cancelled; while Redis is away the kept tail in Postgres is read instead."""
        while going_on():
            try:
                async with Redis.from_url(self._url, socket_connect_timeout=2) as redis:
                    await self._listen(redis)
            except (RedisError, OSError) as error:
                log.warning("live events come from Postgres: Redis is away (%s)", type(error).__name__)
            finally:
                self._pubsub = None
            await self._catch_up()
            await asyncio.sleep(0.5)

    async def _listen(self, redis: "Redis") -> None:
        async with redis.pubsub() as pubsub:
            await pubsub.subscribe(ANNOUNCE, *(channel(name) for name in self._topics))
            self._pubsub = pubsub
            await self._catch_up()
            while going_on():
                message = await pubsub.get_message(timeout=SILENCE_SECONDS)
                if message is None:
                    raise ConnectionError("the relay is silent")
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        name = message["channel"].decode().removeprefix("vidura:topic:")
        if name == ANNOUNCE:
            self._fill_stale()
        topic = self._topics.get(name)
        if topic is None:
            return
        if message["type"] == "subscribe":
            topic.joined.set()
        elif message["type"] == "message":
            self._receive(topic, message["data"])

    def _fill_stale(self) -> None:
        """Once a second, with the relay's announcement: what could not be read when it was missed."""
        for topic in self._topics.values():
            if topic.stale:
                self._fill(topic)

    def _receive(self, topic: Topic, data: bytes) -> None:
        seq, prev, body = unframe(data)
        if prev is None:
            topic.deliver(Message(None, body))
            return
        topic.seen = max(topic.seen, seq)
        missing = topic.last is not None and prev > topic.last
        if topic.filling or missing:
            self._fill(topic)
        elif topic.last is None or seq > topic.last:
            topic.deliver(Message(seq, body))

    async def _catch_up(self) -> None:
        """After any break every topic reads what it may have missed."""
        for topic in list(self._topics.values()):
            self._fill(topic)
            if topic.filling:
                await asyncio.wait([topic.filling])

    def _fill(self, topic: Topic) -> None:
        """Reads a topic's tail, once for all its subscribers and for all who ask meanwhile."""
        if topic.filling is None and topic.last is not None:
            topic.filling = asyncio.create_task(self._read_tail(topic))

    async def _read_tail(self, topic: Topic) -> None:
        try:
            while going_on():
                assert topic.last is not None
                messages, head = await tail(self._database, topic.name, topic.last)
                for message in messages:
                    topic.deliver(message)
                topic.last = max(topic.last, head)
                if topic.seen <= topic.last:
                    topic.stale = False
                    return
        except AWAY as error:
            topic.stale = True
            log.warning("the tail of %s waits: Postgres is away (%s)", topic.name, type(error).__name__)
        finally:
            topic.filling = None

    @asynccontextmanager
    async def join(self, name: str) -> AsyncIterator[Feed]:
        """A feed of `name` from now on; call its `start` with the cursor of what is known already."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name)
            await self._send("subscribe", name)
        feed = Feed()
        topic.feeds.add(feed)
        try:
            # Without Redis nobody confirms: the feed then starts from what Postgres knows.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await topic.joined.wait()
            if topic.last is None:
                head = await head_of(self._database)
                topic.last = head if topic.last is None else topic.last
            yield feed
        finally:
            topic.feeds.discard(feed)
            if not topic.feeds and self._topics.get(name) is topic:
                del self._topics[name]
                await self._send("unsubscribe", name)

    async def _send(self, command: str, name: str) -> None:
        """A broken connection is not noticed here: the reader reconnects and joins every topic anew."""
        with contextlib.suppress(RedisError, OSError):
            async with self._turn:
                if self._pubsub is not None:
                    await getattr(self._pubsub, command)(channel(name))


async def head_of(database: Database) -> int:
    """The number of the newest event."""
    async with database.unit_of_work() as unit:
        head: int = await unit.value("select seq from relay")
        return head


async def tail(database: Database, topic: str, after: int) -> tuple[list[Message], int]:
    """The kept events of a topic behind `after`, and the number up to which that is all of them."""
    async with database.unit_of_work() as unit:
        head: int = await unit.value("select seq from relay")
        rows = await unit.rows("select * from events_between($1, $2, $3)", topic, after, head)
    messages = [Message(row["seq"], orjson.loads(encode(row))) for row in rows]
    return messages, messages[-1].seq or head if len(messages) == TAIL_PAGE else head


TAIL_PAGE = 10_000
"""How many events `events_between` returns at most."""
