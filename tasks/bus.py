"""The relay: numbers every committed event and publishes it, in commit order, until Redis takes it."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import asyncpg
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db.connection import Database, Row, going_on
from db.outbox import CHANNEL

log = logging.getLogger("vidura.relay")

ANNOUNCE = "vidura:head"
BATCH = 500


def channel(topic: str) -> str:
    """The Redis channel of a topic."""
    return f"vidura:topic:{topic}"


def frame(seq: int, prev: int | None, body: bytes) -> bytes:
    """What is published: the event's number, the topic's number before it, and the event, encoded once.

    Ephemeral events have no `prev`: they repeat the number of the last durable one.
    """
    return b"%d %s\n%s" % (seq, b"-" if prev is None else b"%d" % prev, body)


def unframe(data: bytes) -> tuple[int, int | None, dict[str, Any]]:
    """The parts of a frame."""
    head, _, body = data.partition(b"\n")
    seq, prev = head.split(b" ")
    return int(seq), None if prev == b"-" else int(prev), orjson.loads(body)


NUMBER = """
with head as (select seq from relay where id = 1 for update),
fresh as (
  select e.id, row_number() over (order by given.place) as n
  from unnest($1::uuid[]) with ordinality as given(id, place) join events e using (id) where e.seq is null
),
numbered as (
  update events set seq = head.seq + fresh.n from head, fresh where events.id = fresh.id returning events.seq
)
update relay set seq = greatest(seq, (select max(numbered.seq) from numbered)) where id = 1
"""

UNPUBLISHED = """
select seq, type, version, at, workspace_id, media_id, run_id, payload, image,
  coalesce((select max(p.seq) from events p where p.media_id = e.media_id and p.seq < e.seq), 0)
    as media_prev,
  coalesce((select max(p.seq) from events p where p.workspace_id = e.workspace_id and p.seq < e.seq), 0)
    as workspace_prev
from events e where seq > $1 order by seq limit $2
"""

STRAY = """
select id from events where seq is null and at <= now() - make_interval(secs => $2) order by id limit $1
"""


@dataclass(slots=True)
class Relay:
    """Runs in the one leader; a new leader goes on behind the last event its forerunner published."""

    database: Database
    redis: Redis
    _heard: deque[str] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _published: int = 0
    _head: int = 0

    async def listen(self, connection: asyncpg.Connection) -> None:
        """Hears of every event that is committed from now on."""
        await connection.add_listener(CHANNEL, self._hear)

    async def run(self) -> None:
        """Relays until cancelled."""
        async with self.database.unit_of_work() as unit:
            row = await unit.row("select seq, published_seq from relay")
            assert row is not None
            self._head, self._published = row["seq"], row["published_seq"]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay())
            group.create_task(self._announce())

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        self._heard.append(payload)
        self._wake.set()

    async def _relay(self) -> None:
        # What was committed while nobody listened comes before anything heard from now on.
        await self._sweep(0.0)
        await self._publish()
        while going_on():
            try:
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            except TimeoutError:
                await self._sweep(1.0)
                continue
            self._wake.clear()
            heard = list(self._heard)
            self._heard.clear()
            # Progress keeps its place among the durable events around it.
            for kind, group in groupby(heard, key=lambda payload: payload[0]):
                if kind == "e":
                    await self._number([payload[1:] for payload in group])
                    await self._publish()
                else:
                    await self._publish_progress([orjson.loads(payload[1:]) for payload in group])

    async def _sweep(self, age: float) -> None:
        """Events older than `age` seconds whose notice went to nobody, in the order they were written."""
        while going_on():
            async with self.database.unit_of_work() as unit:
                strays = await unit.rows(STRAY, BATCH, age)
            if not strays:
                return
            await self._number([str(row["id"]) for row in strays])
            await self._publish()

    async def _number(self, ids: list[str]) -> None:
        """Gives the next numbers in the order given; an event that has one keeps it."""
        async with self.database.unit_of_work() as unit:
            await unit.execute(NUMBER, ids)

    async def _publish(self) -> None:
        """Publishes everything not yet taken by Redis, waiting for Redis as long as it takes."""
        while going_on():
            async with self.database.unit_of_work() as unit:
                rows = await unit.rows(UNPUBLISHED, self._published, BATCH)
            if not rows:
                return
            await self._send([message for row in rows for message in messages(row)])
            self._published = self._head = rows[-1]["seq"]
            async with self.database.unit_of_work() as unit:
                await unit.execute(
                    "update relay set published_seq = $1 where published_seq < $1", self._published
                )

    async def _send(self, batch: list[tuple[str, bytes]]) -> None:
        while going_on():
            try:
                pipe = self.redis.pipeline(transaction=False)
                for name, data in batch:
                    pipe.publish(name, data)
                await pipe.execute()
                return
            except (RedisError, OSError) as error:
                log.warning("Redis is away (%s); %d events wait", type(error).__name__, len(batch))
                await asyncio.sleep(0.25)

    async def _publish_progress(self, batch: list[dict[str, Any]]) -> None:
        """Told once and not kept: when Redis is away, it is gone."""
        try:
            pipe = self.redis.pipeline(transaction=False)
            for event in batch:
                body = orjson.dumps(event)
                for topic in event["topics"]:
                    pipe.publish(channel(topic), frame(self._head, None, body))
            await pipe.execute()
        except (RedisError, OSError):
            log.debug("progress lost: Redis is away")

    async def _announce(self) -> None:
        """Tells hubs every second how far the stream has come, so that silence is never mistaken for rest."""
        while going_on():
            try:
                await self.redis.publish(ANNOUNCE, self._head)
            except (RedisError, OSError):
                log.debug("no announcement: Redis is away")
            await asyncio.sleep(1.0)


def messages(row: Row) -> list[tuple[str, bytes]]:
    """An event as it goes to each of its topics: one body, three heads."""
    body = encode(row)
    seq: int = row["seq"]
    return [
        (channel(f"media:{row['media_id']}"), frame(seq, row["media_prev"], body)),
        (channel(f"workspace:{row['workspace_id']}"), frame(seq, row["workspace_prev"], body)),
        (channel("all"), frame(seq, seq - 1, body)),
    ]


def encode(row: Row) -> bytes:
    """The body of an event, the same from the relay and from the kept tail."""
    names = ("type", "version", "at", "workspace_id", "media_id", "run_id", "payload", "image")
    # The driver's UUIDs are a subclass that orjson does not know.
    return orjson.dumps({name: row[name] for name in names}, default=str)
