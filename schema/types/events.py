"""Events and the subscriptions that bring them: each event class has exactly one type, made from it."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import strawberry

from db import events as registry
from resolvers import events
from resolvers.access import ANYONE, AUTHENTICATED
from resolvers.compile.source import Column, Python
from schema.enums import UpdateKind
from schema.fields import field, interface, record, streamed_by
from schema.types.media import Media
from schema.types.runs import Run, Stage


@interface("Something that happened.")
class Event:
    """What all events have in common."""

    cursor: str = field(
        Column("cursor"), ANYONE, "Where it stands in the stream; progress repeats the last kept event's."
    )
    type: str = field(Column("type"), ANYONE, "Its name on the wire, such as `stage.finished`.")
    version: int = field(Column("version"), ANYONE, "Version of its fields.")
    at: datetime = field(Column("at"), ANYONE, "When it happened.")
    media_id: strawberry.ID | None = field(
        Python(events.media_id, ("media_id",)), ANYONE, "The media item it is about."
    )
    run_id: strawberry.ID | None = field(Python(events.run_id, ("run_id",)), ANYONE, "The run it is about.")


def _type_of(event: type[registry.Event]) -> type:
    """The GraphQL type of an event class: its name, sentence and fields."""
    hints = get_type_hints(event, include_extras=True)
    own = {one.name: hints[one.name] for one in fields(event) if get_origin(hints[one.name]) is Annotated}
    body: dict[str, Any] = {"__annotations__": {name: get_args(hint)[0] for name, hint in own.items()}}
    for name, hint in own.items():
        body[name] = field(Column(name), ANYONE, get_args(hint)[1])
    says = (event.__doc__ or "").strip()
    return record(says, table="events", having=("type", event.type))(type(event.__name__, (Event,), body))


EVENT_TYPES = [_type_of(event) for event in registry.REGISTRY.values()]


@record("One message of a media item's pipeline.")
class PipelineUpdate:
    """What `pipeline` sends."""

    kind: UpdateKind = field(Column("kind"), ANYONE, "What kind of message it is.")
    cursor: str = field(Column("cursor"), ANYONE, "Pass it as `after` to go on behind this message.")
    at: datetime = field(Column("at"), ANYONE, "When it happened.")
    media: Media = field(Column("media"), ANYONE, "The item as it was then.")
    run: Run | None = field(Column("run"), ANYONE, "Its latest run as it was then.")
    stage: Stage | None = field(Column("stage"), ANYONE, "The stage the event is about, as it was then.")
    event: Event | None = field(Column("event"), ANYONE, "What happened; null unless `kind` is EVENT.")


@record("One message of the stream of events.")
class EventUpdate:
    """What `events` sends."""

    kind: UpdateKind = field(Column("kind"), ANYONE, "What kind of message it is.")
    cursor: str = field(Column("cursor"), ANYONE, "Pass it as `after` to go on behind this message.")
    at: datetime = field(Column("at"), ANYONE, "When it happened.")
    event: Event | None = field(Column("event"), ANYONE, "What happened; null unless `kind` is EVENT.")


@record("Watching what happens.")
class EventSubscriptions:
    """The root of subscriptions."""

    pipeline: PipelineUpdate = streamed_by(
        events.pipeline,
        AUTHENTICATED,
        "The whole pipeline of one media item: first a snapshot, then every change, resumable by cursor.",
    )
    events: EventUpdate = streamed_by(
        events.events, AUTHENTICATED, "Everything that happens in one's own workspace, resumable by cursor."
    )
