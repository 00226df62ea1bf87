"""Subscriptions: a snapshot first, then every change with its cursor; `after` goes on where one stopped."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db import ids
from db.connection import Viewer
from db.errors import NotFound
from db.events import REGISTRY
from resolvers import checks
from resolvers.access import login
from resolvers.compile.reads import Row
from resolvers.context import Context
from resolvers.live import Feed, Message, head_of, tail

NOTHING_MISSED = 0


@dataclass(frozen=True, slots=True)
class Update:
    """One message of a subscription; fields beyond these are read when they are asked for."""

    kind: str
    cursor: str
    at: datetime
    media: Row | None = None
    run: Row | None = None
    stage: Row | None = None
    event: Row | None = None

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


SNAPSHOT = """
select (select seq from relay) as cursor, to_jsonb(m) as media, to_jsonb(r) as run
from media m left join runs r on r.id = m.latest_run_id where m.id = $1
"""


After = Annotated[str | None, "The cursor of the last update seen: what came since is sent first."]


async def pipeline(
    context: Context,
    media_id: Annotated[strawberry.ID, "The media item to watch."],
    after: After = None,
) -> AsyncIterator[Update]:
    """The whole pipeline of one media item. NotFound for what the viewer may not see."""
    viewer = login(context.viewer)
    key = checks.row_id("media", media_id, ("mediaId",))
    context.reads.reach.add(key)
    state = await _snapshot(context, viewer, key)
    async with context.hub.join(f"media:{key}") as feed:
        cursor, missed = await _resume(context, f"media:{key}", after)
        if missed is None:
            if after is not None:
                yield replace(state, kind="RESYNC")
            state = await _snapshot(context, viewer, key)
            yield state
            cursor = int(state.cursor)
        feed.start(cursor)
        async for update in _stream(context, viewer, state, feed, cursor, missed or []):
            yield update


async def events(
    context: Context,
    after: After = None,
    types: Annotated[list[str] | None, "Only events of these types, such as `stage.finished`."] = None,
) -> AsyncIterator[Update]:
    """Everything that happens in the viewer's workspace; to an ADMIN, everything."""
    viewer = login(context.viewer)
    topic = "all" if viewer.role == "ADMIN" else f"workspace:{viewer.workspace_id}"
    state = Update("SNAPSHOT", str(NOTHING_MISSED), datetime.now(UTC))
    async with context.hub.join(topic) as feed:
        cursor, missed = await _resume(context, topic, after)
        state = replace(state, cursor=str(cursor))
        if missed is None:
            if after is not None:
                yield replace(state, kind="RESYNC")
            yield state
        feed.start(cursor)
        async for update in _stream(context, viewer, state, feed, cursor, missed or []):
            if types is None or update.event is None or update.event["type"] in types:
                yield update


def media_id(event: Row, context: Context) -> str | None:
    """The global id of the item an event is about."""
    return ids.encode("media", event["media_id"]) if event["media_id"] else None


def run_id(event: Row, context: Context) -> str | None:
    """The global id of the run an event is about."""
    return ids.encode("runs", event["run_id"]) if event["run_id"] else None


async def _resume(context: Context, topic: str, after: str | None) -> tuple[int, list[Message] | None]:
    """Up to where the past is known, and what happened since `after`; None: nobody can say any more."""
    if after is not None and after.isdecimal() and len(after) < 19:
        async with context.database.unit_of_work() as unit:
            kept = await unit.value("select $1 between kept_from and seq from relay", int(after))
        if kept:
            messages: list[Message] = []
            cursor = int(after)
            while True:
                some, head = await tail(context.database, topic, cursor)
                messages += some
                cursor = head
                if not some or some[-1].seq != head:
                    return cursor, messages
    return await head_of(context.database), None


async def _snapshot(context: Context, viewer: Viewer, key: UUID) -> Update:
    """State and cursor in one statement: what comes after this cursor is what happened after this state."""
    async with context.database.unit_of_work(viewer, [key]) as unit:
        row = await unit.row(SNAPSHOT, key)
    if row is None:
        raise NotFound("There is no such media item.", ["mediaId"])
    return Update(
        "SNAPSHOT",
        str(row["cursor"]),
        datetime.now(UTC),
        media=_revived("media", row["media"]),
        run=_revived("runs", row["run"]),
    )


async def _stream(
    context: Context, viewer: Viewer, state: Update, feed: Feed, cursor: int, missed: list[Message]
) -> AsyncIterator[Update]:
    """What was missed, then what happens; silence is filled with heartbeats that repeat the last cursor."""
    waiting = iter(missed)
    while True:
        message = next(waiting, None) or await feed.next(context.options.heartbeat_seconds)
        if message is None:
            yield replace(state, kind="HEARTBEAT", at=datetime.now(UTC), event=None, stage=None)
            continue
        if not _may_see(viewer, message.body):
            continue
        state = _updated(state, viewer, message)
        # What the operation read for an earlier update is no longer so.
        context.reads.become(viewer)
        yield state


def _updated(state: Update, viewer: Viewer, message: Message) -> Update:
    """The update an event makes; progress repeats the cursor and the rows that it does not carry."""
    body, image = message.body, message.body["image"]
    own = viewer.role == "ADMIN" or str(body["workspace_id"]) == str(viewer.workspace_id)
    cursor = state.cursor if message.seq is None else str(message.seq)
    at = datetime.fromisoformat(body["at"])
    return Update(
        "EVENT",
        cursor,
        at,
        media=_revived("media", image.get("media")) or state.media,
        run=(_revived("runs", image.get("run")) or state.run) if own else None,
        stage=_revived("stages", image.get("stage")) if own else None,
        event=Row(
            "events",
            body["payload"]
            | {
                "type": body["type"],
                "version": body["version"],
                "cursor": cursor,
                "at": at,
                "media_id": body["media_id"],
                "run_id": body["run_id"],
            },
        ),
    )


def _may_see(viewer: Viewer, body: Mapping[str, Any]) -> bool:
    """Access is checked for every event: what was shared a moment ago may be private now."""
    if body["type"] not in REGISTRY:
        return False
    if viewer.role == "ADMIN" or str(body["workspace_id"]) == str(viewer.workspace_id):
        return True
    media = body["image"].get("media") or {}
    return media.get("visibility") in ("PUBLIC", "UNLISTED")


def _revived(table: str, image: Mapping[str, Any] | None) -> Row | None:
    """A row as the database would give it, from the JSON that an event carries."""
    if image is None:
        return None
    return Row(table, {name: _value(name, value) for name, value in image.items()})


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "id" or name.endswith("_id"):
        return value if name in ("correlation_id", "public_id") else UUID(value)
    return datetime.fromisoformat(value) if name.endswith(("_at", "_until", "not_before")) else value
