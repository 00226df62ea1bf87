"""Tells watchers how far a stage is."""

import asyncio
import logging

from db.connection import AWAY, Database
from db.events import AnalysisProgress
from db.outbox import emit_progress
from db.stages import Claim

log = logging.getLogger("vidura.worker")

PROGRESS_SECONDS = 0.25
"""Watchers are told at most four times a second."""


class Reporter:
    """Tells watchers of progress, at most four times a second; the last word is not held back."""

    def __init__(self, database: Database, held: Claim) -> None:
        self._database = database
        self._held = held
        self._told = 0.0
        self._last: tuple[int, int | None] = (0, None)

    async def complete(self) -> None:
        """Says once that all is done, so that every stage that succeeds is seen to move."""
        done, total = self._last
        whole = max(1, done) if total is None else total
        await self.tell(whole, whole)

    async def tell(self, done: int, total: int | None = None, model: str | None = None) -> None:
        """Progress is worth nothing if it fails the work, so a Postgres that is away is ignored."""
        now = asyncio.get_running_loop().time()
        if (now - self._told < PROGRESS_SECONDS and done != total) or (done, total) == self._last:
            return
        self._last = (done, total)
        self._told = now
        held = self._held
        event = AnalysisProgress(
            workspace_id=held.workspace_id,
            media_id=held.media_id,
            run_id=held.run_id,
            stage=held.name,
            model=model,
            done=done,
            total=total,
        )
        try:
            async with self._database.unit_of_work() as unit:
                await emit_progress(unit, event, held.id, held.fence, done, total)
        except AWAY:
            log.debug("progress of %s was not told", held.name)
