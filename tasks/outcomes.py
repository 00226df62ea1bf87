"""What the end of a stage's function means: done, skipped, failed for good, or to be tried again."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from db.connection import AWAY
from db.errors import ViduraError
from db.stages import Claim, CostLine, Outcome
from inference.capabilities import EngineBroke, HostGone, Unavailable
from tasks.media.limits import MediaJobFailed, MediaRefused
from tasks.pipeline import Refused, Skip

log = logging.getLogger("vidura.worker")

NOTHING_THERE = ("NO_AUDIO", "NO_VIDEO", "NO_SUBTITLES")
"""Refusals that blame nobody: the file simply has none."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt came to nothing but another may succeed; `counted=False` gives the attempt back."""

    reason: str
    counted: bool = True
    costs: Sequence[CostLine] = ()

    def delay(self, attempt: int) -> float:
        """Seconds to wait: doubling, with jitter, at most ten minutes; none where nobody was to blame."""
        return min(600.0, 2.0**attempt) * random.uniform(0.5, 1.0) if self.counted else 0.2


def outcome_of(held: Claim, work: "asyncio.Task[Outcome]") -> Outcome | Retry:
    """What the end of a stage's function means: done, skipped, failed for good, or to be tried again."""
    try:
        return work.result()
    except (Skip, Unavailable) as error:
        return Outcome("SKIPPED", reason=str(error))
    except Refused as error:
        return Outcome("FAILED", error_code=error.code, reason=str(error))
    except MediaRefused as error:
        status = "SKIPPED" if error.code in NOTHING_THERE else "FAILED"
        return Outcome(status, error_code=error.code, reason=error.reason)
    except HostGone as error:
        # Calls that only waited beside the one that killed their host are not to blame.
        return (
            _failed(held, "HOST_GONE", error.reason, again=True)
            if error.running
            else Retry(error.reason, False)
        )
    except AWAY as error:
        return Retry(f"A part it needs went away ({type(error).__name__}); it is taken again.", counted=False)
    except MediaJobFailed as error:
        hopeless = error.code in ("TIMEOUT", "MEMORY")
        return _failed(held, error.code, error.reason, again=not hopeless)
    except EngineBroke as error:
        costs = [
            CostLine(cost.service, f"failed:{cost.unit}", cost.units, cost.unit, cost.amount_micros)
            for cost in error.costs
        ]
        return _failed(held, "ENGINE", error.reason, again=error.transient, costs=costs)
    except ViduraError as error:
        return _failed(held, error.code, error.message, again=True)
    except Exception as error:
        log.exception("stage %s broke", held.name)
        reason = f"Something in it broke ({type(error).__name__}); the worker's log has the details."
        return _failed(held, "INTERNAL", reason, again=True)


def _failed(
    held: Claim, code: str, reason: str, *, again: bool, costs: Sequence[CostLine] = ()
) -> Outcome | Retry:
    if again and held.attempt < held.max_attempts:
        return Retry(reason, costs=costs)
    return Outcome("FAILED", error_code=code, reason=reason, costs=costs)
