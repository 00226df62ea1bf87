"""The catalogue: which workers live, which stages and models they bring, and what to hand them next."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from uuid import UUID

from db.connection import Row, Unit
from db.errors import InvalidInput

QUEUES = ("media", "gpu", "io")
"""Files that must be decoded; models; everything that mostly waits for others."""

SEEN_SECONDS = 15
"""A worker, model or definition not seen for this long counts as gone."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A stage as its file declares it."""

    name: str
    queue: str
    after: tuple[str, ...]
    capabilities: tuple[str, ...]
    media_kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A model as the worker that has it describes it; `unavailable_reason` says why it cannot be used."""

    name: str
    version: str
    capability: str
    media_kinds: tuple[str, ...]
    device: str | None
    loaded: bool
    mean_seconds: float | None
    unavailable_reason: str | None


@dataclass(frozen=True, slots=True)
class WorkerCard:
    """A process that takes work from one queue; while it lives it holds the advisory lock `lock`."""

    id: UUID
    queue: str
    slots: int
    host: str
    process: int
    lock: int


async def check_in(
    unit: Unit, worker: WorkerCard, definitions: Sequence[Definition], cards: Sequence[Card]
) -> None:
    """Says that a worker is here, with what it can do; repeated as its sign of life."""
    await unit.execute(
        """
        insert into workers (id, queue, slots, host, process, lock, stages)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (id) do update set seen_at = now(), slots = excluded.slots, stages = excluded.stages
        """,
        worker.id,
        worker.queue,
        worker.slots,
        worker.host,
        worker.process,
        worker.lock,
        [definition.name for definition in definitions],
    )
    # Sorted, so that workers that check in together never wait for each other in a circle.
    await unit.connection.executemany(
        """
        insert into stage_definitions (name, queue, after, capabilities, media_kinds)
        values ($1, $2, $3, $4, $5)
        on conflict (name) do update set queue = excluded.queue, after = excluded.after,
          capabilities = excluded.capabilities, media_kinds = excluded.media_kinds, seen_at = now()
        """,
        sorted(astuple(definition) for definition in definitions),
    )
    await unit.connection.executemany(
        """
        insert into models (name, version, capability, media_kinds, device, loaded, mean_seconds,
                            unavailable_reason)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (name, version, capability) do update set media_kinds = excluded.media_kinds,
          device = excluded.device, loaded = excluded.loaded,
          mean_seconds = coalesce(excluded.mean_seconds, models.mean_seconds),
          unavailable_reason = excluded.unavailable_reason, seen_at = now()
        """,
        sorted((astuple(card) for card in cards), key=lambda card: card[:3]),
    )


async def check_out(unit: Unit, worker_id: UUID) -> None:
    """A worker that leaves by itself need not be found dead."""
    await unit.execute("delete from workers where id = $1", worker_id)


async def dead_workers(unit: Unit) -> list[UUID]:
    """Workers whose lock is free: Postgres has seen their session end."""
    rows = await unit.rows("select id from workers where pg_try_advisory_xact_lock(lock)")
    return [row["id"] for row in rows]


async def forget_workers(unit: Unit, ids: Sequence[UUID]) -> None:
    """Removes the dead from the catalogue."""
    await unit.execute("delete from workers where id = any ($1::uuid[])", ids)


async def check_stages(unit: Unit, names: Sequence[str]) -> None:
    """Refuses stages that no worker has ever brought."""
    known = [row["name"] for row in await unit.rows("select name from stage_definitions order by name")]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        asked = f"There is no stage {unknown[0]!r}" if unknown else "Name at least one stage"
        raise InvalidInput(f"{asked}; there are {', '.join(known) or 'none yet'}.", ["stages"])


async def models_for(unit: Unit, capability: str, media_kind: str) -> list[Row]:
    """Usable models of a capability that take this kind of media, for the fan-out of a stage."""
    return await unit.rows(
        """
        select name, version from models
        where capability = $1 and $2 = any (media_kinds) and unavailable_reason is null
          and seen_at > now() - make_interval(secs => $3)
        order by name, version
        """,
        capability,
        media_kind,
        SEEN_SECONDS,
    )


# Per queue: twice the free slots stay filled. Within it, everybody's first stage comes before anybody's
# second, what a workspace has running counts too, and premium work counts a third.
NEXT = """
with capacity as (
  select queue, 2 * sum(slots) as room from workers
  where seen_at > now() - make_interval(secs => $1) group by queue
), busy as (
  select queue, workspace_id, count(*) as n from stages
  where status = 'RUNNING' or (status = 'READY' and dispatched_at > now() - make_interval(secs => $2))
  group by queue, workspace_id
), waiting as (
  select s.id, s.queue, row_number() over (
    partition by s.queue order by s.turn / case when s.premium then 3.0 else 1.0 end, s.created_at, s.id
  ) as place
  from (
    select t.id, t.queue, t.created_at, r.premium, coalesce(b.n, 0) + row_number() over (
      partition by t.queue, t.workspace_id order by t.created_at, t.id) as turn
    from stages t join runs r on r.id = t.run_id
    left join busy b on b.queue = t.queue and b.workspace_id = t.workspace_id
    where t.status = 'READY' and (t.not_before is null or t.not_before <= now())
      and (t.dispatched_at is null or t.dispatched_at <= now() - make_interval(secs => $2))
  ) s
)
update stages set dispatched_at = now()
from waiting
join capacity using (queue)
left join (select queue, sum(n) as n from busy group by queue) taken using (queue)
where stages.id = waiting.id and waiting.place <= capacity.room - coalesce(taken.n, 0)
returning stages.id, stages.queue, waiting.place
"""


async def dispatch(unit: Unit, forgotten_after: float) -> list[Row]:
    """Picks and marks what workers should take next; unclaimed for `forgotten_after` s, it is picked anew."""
    rows = await unit.rows(NEXT, SEEN_SECONDS, forgotten_after)
    return sorted(rows, key=lambda row: row["place"])


async def undispatch(unit: Unit, ids: Sequence[UUID]) -> None:
    """Nobody will take these keys from the broker; pick them again at once."""
    await unit.execute("update stages set dispatched_at = null where id = any ($1::uuid[])", ids)
