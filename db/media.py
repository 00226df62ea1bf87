"""Media items: what a user may say about one, and its life around the upload of its bytes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.connection import Row, Unit, Viewer
from db.errors import Conflict
from db.events import MediaUpdated, MediaUploaded
from db.models.fields import uuid7
from db.models.media import Media
from db.outbox import emit


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMedia:
    """An item as its uploader describes it; `kind` is what the file is announced to be."""

    kind: str
    filename: str
    visibility: str
    title: str | None = None
    description: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    recorded_at: datetime | None = None


async def create(unit: Unit, viewer: Viewer, new: NewMedia) -> UUID:
    """Makes an item whose bytes are still to come; its id."""
    key = uuid7()
    await Media.create(
        id=key,
        workspace_id=viewer.workspace_id,
        owner_id=viewer.user_id,
        # Named by us: nothing of the user's own text ever becomes part of a path.
        object_key=f"media/{key}/original",
        using_db=unit.orm,
        **{name: getattr(new, name) for name in NewMedia.__slots__},
    )
    return key


async def bytes_arrived(unit: Unit, media: Row, kind: str) -> None:
    """All bytes of an item are here and look like media of this kind: it may be analysed."""
    await unit.execute("update media set kind = $2 where id = $1", media["id"], kind)
    about = {"workspace_id": media["workspace_id"], "media_id": media["id"]}
    await emit(unit, MediaUploaded(**about, kind=kind))


async def check_bytes(unit: Unit, media_id: UUID) -> None:
    """Refuses an item whose file was refused: Conflict. While bytes are on their way, its status says so."""
    refused = "select status = 'FAILED' and latest_run_id is null from media where id = $1"
    if await unit.value(refused, media_id):
        raise Conflict("The item's file was refused. Upload another.", ["mediaId"])


async def refuse(unit: Unit, media: Row) -> None:
    """The bytes of an item are none we take."""
    await unit.execute("update media set status = 'FAILED' where id = $1", media["id"])
    about = {"workspace_id": media["workspace_id"], "media_id": media["id"]}
    await emit(unit, MediaUpdated(**about, status="FAILED"))
