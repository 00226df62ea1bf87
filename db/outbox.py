"""Emits events within the unit of work that causes them: both are committed, or neither."""

from uuid import UUID

import orjson

from db.connection import Unit
from db.events import Event

CHANNEL = "events"
"""Postgres tells this channel of every committed event, in commit order."""

# The image is what watchers will be shown: the rows as they are at this moment, without bulky results.
EMIT = """
with put as (
  insert into events (type, version, workspace_id, media_id, run_id, payload, image)
  select $1, $2, $3, $4, $5, $6, jsonb_build_object(
    'media', (select to_jsonb(m) from media m where m.id = $4),
    'run', (select to_jsonb(r) from runs r where r.id = $5),
    'stage', (select to_jsonb(s) - 'result' from stages s where s.id = $7))
  returning id
)
select pg_notify('events', 'e' || id) from put
"""

PROGRESS = """
with moved as (
  update stages set done = $3, total = $4 where id = $1 and fence = $2 and status = 'RUNNING' returning *
)
select pg_notify('events', 'p'::text || jsonb_build_object(
  'topics', $5::jsonb, 'type', $6::text, 'version', $7::int, 'at', now(),
  'workspace_id', workspace_id, 'media_id', media_id, 'run_id', run_id, 'payload', $8::jsonb,
  'image', jsonb_build_object('stage', to_jsonb(moved) - 'result'))::text) from moved
"""


async def emit(unit: Unit, event: Event, stage_id: UUID | None = None) -> None:
    """Writes a durable event; `stage_id` puts that stage into its image."""
    await unit.execute(
        EMIT,
        event.type,
        event.version,
        event.workspace_id,
        event.media_id,
        event.run_id,
        event.payload(),
        stage_id,
    )


async def emit_progress(
    unit: Unit, event: Event, stage_id: UUID, fence: int, done: int, total: int | None
) -> None:
    """Moves a stage's counters and tells the relay; kept nowhere else, and nothing when the fence is lost."""
    await unit.execute(
        PROGRESS,
        stage_id,
        fence,
        done,
        total,
        orjson.dumps(event.topics).decode(),
        event.type,
        event.version,
        event.payload(),
    )
