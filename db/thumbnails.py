"""Thumbnails: the one picture that stands for a media item."""

from db.connection import Unit
from db.events import MediaUpdated
from db.outbox import emit
from db.stages import Claim


async def write(unit: Unit, held: Claim, key: str) -> None:
    """Makes the object `key` the item's thumbnail."""
    status = await unit.value(
        "update media set thumbnail_key = $2 where id = $1 returning status", held.media_id, key
    )
    await emit(
        unit,
        MediaUpdated(
            workspace_id=held.workspace_id, media_id=held.media_id, run_id=held.run_id, status=status
        ),
    )
