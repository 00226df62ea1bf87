"""Media items: making one, and what watchers hear when its bytes arrive or are refused."""

from uuid import UUID

from db import media, runs
from db.connection import Database, Row, Viewer
from db.media import NewMedia
from tests.support import make

NEW = NewMedia(kind="VIDEO", filename="../../storm.mp4", visibility="PRIVATE", title="Storm", latitude=1.5)


async def created(app: Database, viewer: Viewer) -> UUID:
    async with app.unit_of_work(viewer) as unit:
        return await media.create(unit, viewer, NEW)


async def stored(work: Database, media_id: UUID) -> Row:
    async with work.unit_of_work() as unit:
        row = await unit.row("select * from media where id = $1", media_id)
    assert row is not None
    return row


async def test_an_item_belongs_to_whoever_brings_it_and_waits_for_its_bytes(
    app: Database, work: Database
) -> None:
    ada = await make.viewer(work)
    row = await stored(work, await created(app, ada))
    assert (row["workspace_id"], row["owner_id"]) == (ada.workspace_id, ada.user_id)
    assert (row["status"], row["title"], row["latitude"], row["description"]) == (
        "UPLOADING",
        "Storm",
        1.5,
        None,
    )


async def test_nothing_of_the_users_file_name_is_in_the_objects_key(app: Database, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await created(app, ada)
    assert (await stored(work, media_id))["object_key"] == f"media/{media_id}/original"


async def test_an_item_whose_bytes_arrived_can_be_analysed(app: Database, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await created(app, ada)
    async with app.unit_of_work(ada) as unit:
        row = await unit.row("select * from media where id = $1", media_id)
        await media.bytes_arrived(unit, row, "AUDIO")
        await runs.launch(unit, media_id=media_id, arrived=True)
    row = await stored(work, media_id)
    assert (row["kind"], row["status"]) == ("AUDIO", "QUEUED")


async def test_a_refused_item_has_failed_and_says_so(app: Database, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await created(app, ada)
    async with app.unit_of_work(ada) as unit:
        await media.refuse(unit, await unit.row("select * from media where id = $1", media_id))
    assert (await stored(work, media_id))["status"] == "FAILED"
    async with work.unit_of_work() as unit:
        event = await unit.row("select type, payload from events where media_id = $1", media_id)
    assert event is not None
    assert (event["type"], event["payload"]) == ("video.updated", {"status": "FAILED"})
