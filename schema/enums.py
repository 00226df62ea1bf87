"""The closed sets of words that the API uses; each value is its own name, as the database keeps it."""

from enum import Enum
from typing import Any

import strawberry


def _value(name: str, says: str) -> Any:
    return strawberry.enum_value(name, description=says)


@strawberry.enum(description="What kind of refusal a user error is; stable, for programs.")
class ErrorCode(Enum):
    """Codes of `db.errors`, for clients."""

    INVALID_INPUT = _value("INVALID_INPUT", "An argument breaks a rule; `path` names it.")
    NOT_FOUND = _value("NOT_FOUND", "There is no such thing, or it is not for you.")
    CONFLICT = _value("CONFLICT", "It exists already, or its state does not allow this.")
    FORBIDDEN = _value("FORBIDDEN", "You may not do this.")
    UNAUTHENTICATED = _value("UNAUTHENTICATED", "Log in, or log in again.")
    QUOTA_EXCEEDED = _value("QUOTA_EXCEEDED", "Your tier's limit is reached.")
    BUDGET_EXCEEDED = _value("BUDGET_EXCEEDED", "The money set aside for this period is used up.")
    RATE_LIMITED = _value("RATE_LIMITED", "Too many requests; try again later.")
    UNSUPPORTED_MEDIA = _value("UNSUPPORTED_MEDIA", "The file is not a kind of media we take.")
    TOO_LARGE = _value("TOO_LARGE", "A size limit is exceeded.")
    EXPIRED = _value("EXPIRED", "It was valid once.")
    UNAVAILABLE = _value("UNAVAILABLE", "A part that is needed is away; the same call may work later.")
    QUEUE_FULL = _value("QUEUE_FULL", "Too much work is waiting already.")
    IDEMPOTENCY_MISMATCH = _value(
        "IDEMPOTENCY_MISMATCH", "The same idempotency key came with other arguments."
    )
    INSUFFICIENT_STORAGE = _value("INSUFFICIENT_STORAGE", "There is no room left to store this.")
    INTERNAL = _value("INTERNAL", "Something broke on our side.")


@strawberry.enum(description="What an account may do.")
class Role(Enum):
    """Roles of accounts."""

    USER = _value("USER", "Sees and changes what is theirs.")
    MODERATOR = _value("MODERATOR", "Also looks after what others made public.")
    ADMIN = _value("ADMIN", "Sees everything.")


@strawberry.enum(description="The three kinds of media.")
class MediaKind(Enum):
    """Kinds of media."""

    VIDEO = _value("VIDEO", "Moving pictures, with sound or without.")
    IMAGE = _value("IMAGE", "One picture.")
    AUDIO = _value("AUDIO", "Sound only.")


@strawberry.enum(description="Where a media item stands.")
class MediaStatus(Enum):
    """States of a media item."""

    UPLOADING = _value("UPLOADING", "Its bytes have not all arrived.")
    QUEUED = _value("QUEUED", "Its analysis waits for a worker.")
    PROCESSING = _value("PROCESSING", "It is being analysed.")
    ANALYZED = _value("ANALYZED", "Its latest run ended with every stage done or skipped.")
    PARTIALLY_ANALYZED = _value(
        "PARTIALLY_ANALYZED", "Some stages of its latest run failed, others gave results."
    )
    FAILED = _value("FAILED", "It could not be analysed, or its file was refused.")
    CANCELLED = _value("CANCELLED", "Its latest run was stopped.")


@strawberry.enum(description="Who may see a media item.")
class Visibility(Enum):
    """Visibilities of media."""

    PRIVATE = _value("PRIVATE", "Its workspace only.")
    UNLISTED = _value("UNLISTED", "Its workspace, and whoever has its id.")
    PUBLIC = _value("PUBLIC", "Everybody.")


@strawberry.enum(description="In which order videos and other media are listed.")
class VideoOrder(Enum):
    """Orders of media lists."""

    NEWEST = _value("NEWEST", "The latest upload first.")
    OLDEST = _value("OLDEST", "The earliest upload first.")
    RECORDED = _value("RECORDED", "The latest recording first, those of unknown date last.")
    LONGEST = _value("LONGEST", "The longest first, those of unknown duration last.")


@strawberry.enum(description="Where an upload stands.")
class UploadStatus(Enum):
    """States of an upload."""

    WAITING = _value("WAITING", "Parts may still be sent.")
    COMPLETED = _value("COMPLETED", "All bytes are here and were accepted.")
    EXPIRED = _value("EXPIRED", "It was not completed in time.")
    CANCELLED = _value("CANCELLED", "It was given up.")
    REJECTED = _value("REJECTED", "The bytes are no media we take; `reason` says why.")


@strawberry.enum(description="Where a run stands.")
class RunStatus(Enum):
    """States of a run."""

    QUEUED = _value("QUEUED", "No worker has begun.")
    PROCESSING = _value("PROCESSING", "Stages are being worked on.")
    ANALYZED = _value("ANALYZED", "Every stage was done or skipped.")
    PARTIALLY_ANALYZED = _value("PARTIALLY_ANALYZED", "Some stages failed, others gave results.")
    FAILED = _value("FAILED", "No stage gave a result.")
    CANCELLED = _value("CANCELLED", "It was stopped.")


@strawberry.enum(description="Where a stage of a run stands.")
class StageStatus(Enum):
    """States of a stage."""

    WAITING = _value("WAITING", "Stages before it have not ended.")
    READY = _value("READY", "It waits for a worker.")
    RUNNING = _value("RUNNING", "A worker has it.")
    DONE = _value("DONE", "It gave its result.")
    SKIPPED = _value("SKIPPED", "Its model or input is not there; `reason` says which.")
    FAILED = _value("FAILED", "It cannot succeed; `reason` says why.")
    DEAD = _value("DEAD", "It was tried as often as allowed.")
    CANCELLED = _value("CANCELLED", "Its run was stopped.")


@strawberry.enum(description="What kind of message a subscription sends.")
class UpdateKind(Enum):
    """Kinds of update."""

    SNAPSHOT = _value("SNAPSHOT", "The state as it is now; everything after its cursor follows.")
    EVENT = _value("EVENT", "Something happened.")
    HEARTBEAT = _value("HEARTBEAT", "Nothing happened; the connection lives.")
    RESYNC = _value("RESYNC", "What happened since `after` is not kept any more: a snapshot follows.")
