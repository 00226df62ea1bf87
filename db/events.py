"""The registry of events: what can happen, as plain data. Each class has exactly one GraphQL type."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar
from uuid import UUID

REGISTRY: dict[str, type["Event"]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a media item of a workspace."""

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1

    workspace_id: UUID
    media_id: UUID
    run_id: UUID | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        # dataclass(slots=True) builds the class twice; the second, final one stays in the registry.
        REGISTRY[cls.type] = cls

    @property
    def topics(self) -> list[str]:
        """Who may hear of it: everyone watching the item, the workspace, or everything."""
        return [f"media:{self.media_id}", f"workspace:{self.workspace_id}", "all"]

    def payload(self) -> dict[str, Any]:
        """Its own fields, as JSON values."""
        return {name: getattr(self, name) for name in own_fields(type(self))}


def own_fields(event: type[Event]) -> list[str]:
    """Names of the fields an event adds to the base."""
    base = {field.name for field in fields(Event)}
    return [field.name for field in fields(event) if field.name not in base]


def decode(type_name: str, values: Mapping[str, Any]) -> Event:
    """An event from the row kept of it."""
    event = REGISTRY[type_name]
    payload = values["payload"]
    run_id = values["run_id"]
    return event(
        workspace_id=UUID(str(values["workspace_id"])),
        media_id=UUID(str(values["media_id"])),
        run_id=UUID(str(run_id)) if run_id else None,
        **{name: payload[name] for name in own_fields(event) if name in payload},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUploaded(Event):
    """All bytes of an item have arrived."""

    type = "video.uploaded"
    kind: Annotated[str, "What the file looks like by its first bytes: VIDEO, IMAGE or AUDIO."]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUpdated(Event):
    """An item's own fields have changed."""

    type = "video.updated"
    status: Annotated[str, "The item's status after the change."]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaProcessed(Event):
    """The analysis of an item has ended, one way or another."""

    type = "video.processed"
    status: Annotated[str, "The item's final status."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisQueued(Event):
    """A run was made and waits for a worker."""

    type = "analysis.queued"
    number: Annotated[int, "Which analysis of this item it is: 1, 2, 3…"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisStarted(Event):
    """The first stage of a run is being worked on."""

    type = "analysis.started"
    number: Annotated[int, "Which analysis of this item it is: 1, 2, 3…"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisProgress(Event):
    """How far a stage has come; not kept, the newest wins."""

    type = "analysis.progress"
    stage: Annotated[str, "Name of the stage."]
    model: Annotated[str | None, "The model at work, where there is one."] = None
    done: Annotated[int, "Units done so far."]
    total: Annotated[int | None, "Units in all, where known."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisCompleted(Event):
    """A run ended with results."""

    type = "analysis.completed"
    status: Annotated[str, "ANALYZED or PARTIALLY_ANALYZED."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisFailed(Event):
    """A run ended without results."""

    type = "analysis.failed"
    reason: Annotated[str, "What went wrong, for a person."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisCancelled(Event):
    """Somebody stopped a run."""

    type = "analysis.cancelled"
    number: Annotated[int, "Which analysis of this item it was."]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(Event):
    """A worker has taken a stage."""

    type = "stage.started"
    stage: Annotated[str, "Name of the stage."]
    shard: Annotated[str, "Which part of it; empty when there is only one."] = ""
    attempt: Annotated[int, "Which attempt this is, from 1."]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetried(Event):
    """An attempt came to nothing; the stage will be taken again."""

    type = "stage.retried"
    stage: Annotated[str, "Name of the stage."]
    shard: Annotated[str, "Which part of it; empty when there is only one."] = ""
    attempt: Annotated[int, "The attempt that ended."]
    reason: Annotated[str, "Why, for a person."]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(Event):
    """A stage has ended for good."""

    type = "stage.finished"
    stage: Annotated[str, "Name of the stage."]
    shard: Annotated[str, "Which part of it; empty when there is only one."] = ""
    status: Annotated[str, "DONE, SKIPPED, FAILED, DEAD or CANCELLED."]
    engine: Annotated[str | None, "What did the work; a fallback says so."] = None
    reason: Annotated[str | None, "Why it was skipped or failed, for a person."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsAdded(Event):
    """Captions of an item were written."""

    type = "ai.captions"
    count: Annotated[int, "How many."]
    language: Annotated[str | None, "Their language, where known."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsAdded(Event):
    """Tags of an item were written."""

    type = "ai.tags"
    names: Annotated[list[str], "The tags."]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionWritten(Event):
    """A description of an item was written by a model or its fallback."""

    type = "ai.description"
    text: Annotated[str, "The description."]
    engine: Annotated[str, "What wrote it; a fallback says so."]
