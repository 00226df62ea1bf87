"""The errors a caller can act on: one family, each with the code that clients see."""

from collections.abc import Sequence
from typing import ClassVar


class ViduraError(Exception):
    """An expected refusal: a stable `code`, a `message` that tells what to do, the `path` of the input."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = list(path)


class InvalidInput(ViduraError):
    """An argument breaks a rule."""

    code = "INVALID_INPUT"


class NotFound(ViduraError):
    """There is no such thing, or it is not for this viewer: both read the same."""

    code = "NOT_FOUND"


class Conflict(ViduraError):
    """The thing exists already, or is in a state that does not allow this."""

    code = "CONFLICT"


class Forbidden(ViduraError):
    """The viewer is known but may not do this."""

    code = "FORBIDDEN"


class Unauthenticated(ViduraError):
    """Nobody is logged in, or the token is no longer good."""

    code = "UNAUTHENTICATED"


class QuotaExceeded(ViduraError):
    """The tier's limit is reached."""

    code = "QUOTA_EXCEEDED"


class BudgetExceeded(ViduraError):
    """The workspace's money for this period is spent or reserved."""

    code = "BUDGET_EXCEEDED"


class RateLimited(ViduraError):
    """Too many requests; try again later."""

    code = "RATE_LIMITED"


class UnsupportedMedia(ViduraError):
    """The file is not a kind of media we take."""

    code = "UNSUPPORTED_MEDIA"


class TooLarge(ViduraError):
    """A size limit is exceeded."""

    code = "TOO_LARGE"


class Expired(ViduraError):
    """The thing was valid once."""

    code = "EXPIRED"


class Unavailable(ViduraError):
    """A part that is needed is away for now; the same call may work later."""

    code = "UNAVAILABLE"


class QueueFull(ViduraError):
    """Too much work is waiting already."""

    code = "QUEUE_FULL"


class IdempotencyMismatch(ViduraError):
    """The same key was used with other arguments."""

    code = "IDEMPOTENCY_MISMATCH"


class InsufficientStorage(ViduraError):
    """The disk or the bucket is full."""

    code = "INSUFFICIENT_STORAGE"
