"""What the API's answers mean for a client: go on, try again, log in again, or give up with a reason."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx2
from websockets.exceptions import WebSocketException

Json: TypeAlias = dict[str, Any]

PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
GATEWAY = (502, 503, 504)


class Failed(Exception):
    """What ends the demo, as a sentence for whoever runs it; the API's code where it comes from there."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Away(Exception):
    """The system cannot answer just now; the same may work in a moment."""


class LoggedOut(Exception):
    """Our access token has ended."""


LOST = (Away, LoggedOut, ConnectionError, TimeoutError, httpx2.TransportError, WebSocketException)


class Silence:
    """How long nobody has answered; each pause is longer than the last, until patience is at its end."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.ended()

    def ended(self) -> None:
        """Somebody has answered."""
        self._since: float | None = None
        self._pause = FIRST_PAUSE_SECONDS

    async def endure(self, error: Exception) -> None:
        """Waits before the next attempt; Failed after a minute of silence."""
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since > PATIENCE_SECONDS:
            raise Failed(f"No answer for {PATIENCE_SECONDS:.0f} seconds: {_why(error)}.") from error
        if self._pause == FIRST_PAUSE_SECONDS and not isinstance(error, LoggedOut):
            self._tell(f"no answer ({_why(error)}): trying again …")
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)


def _why(error: Exception) -> str:
    return str(error).strip(" .") or type(error).__name__


def json_of(answer: httpx2.Response) -> Json:
    """The body of an answer that this API gives; what stands between us and it speaks otherwise."""
    try:
        return dict(answer.json())
    except (ValueError, TypeError):
        said = f"{answer.request.url.copy_with(query=None)} answered {answer.status_code}"
        raise (Away if answer.status_code in GATEWAY else Failed)(said) from None


def field(body: Json) -> Json:
    """The operation's one field, neither null nor refused."""
    refuse(body.get("errors", []))
    (found,) = body["data"].values()
    if found is None:
        raise Failed("What was asked for is no longer there.")
    refuse(found.get("errors", []))
    return dict(found)


def refuse(errors: list[Json]) -> None:
    """Raises what errors mean: that one may try again, must log in, or has failed."""
    if not errors:
        return
    codes = [error.get("code") or error.get("extensions", {}).get("code") for error in errors]
    said = " ".join(f"{error['message']} ({code})" for error, code in zip(errors, codes, strict=True))
    if "UNAVAILABLE" in codes:
        raise Away(said)
    # Where a login itself is refused, the answer is in the payload, and final.
    if "UNAUTHENTICATED" in codes and "code" not in errors[0]:
        raise LoggedOut(said)
    raise Failed(said, codes[0])
