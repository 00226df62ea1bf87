"""Descriptions written by models: kept apart from the user's own words."""

from db.connection import Unit
from db.events import DescriptionWritten
from db.outbox import emit
from db.stages import Claim


async def write(unit: Unit, held: Claim, text: str, engine: str) -> None:
    """Makes `text` the item's `ai_description`."""
    await unit.execute("update media set ai_description = $2 where id = $1", held.media_id, text)
    await emit(
        unit,
        DescriptionWritten(
            workspace_id=held.workspace_id,
            media_id=held.media_id,
            run_id=held.run_id,
            text=text,
            engine=engine,
        ),
        held.id,
    )
