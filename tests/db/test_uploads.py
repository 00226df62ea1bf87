"""Uploads: what may be brought in, and when it may no longer be completed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import media, uploads
from db.connection import Database
from db.errors import Conflict, Expired, NotFound, UnsupportedMedia, ViduraError
from db.media import NewMedia
from db.models.fields import uuid7
from db.objects import MAX_PARTS
from tests.support import make

GOOD: dict[str, Any] = {
    "filename": " a storm.mp4 ",
    "content_type": "Video/MP4; codecs=avc1",
    "size_bytes": 100,
    "sha256": "AB" * 32,
    "limit": 10**12,
    "part_bytes": 30,
}
LATER = datetime.now(UTC) + timedelta(hours=1)


def test_a_plan_is_put_in_order() -> None:
    new = uploads.plan(**GOOD)
    assert (new.filename, new.content_type, new.sha256) == ("a storm.mp4", "video/mp4", "ab" * 32)
    assert new.part_bytes == 30


def test_parts_grow_before_there_are_too_many() -> None:
    for size in (MAX_PARTS * 30, MAX_PARTS * 30 + 1, 10**12):
        part_bytes = uploads.plan(**{**GOOD, "size_bytes": size}).part_bytes
        assert -(-size // part_bytes) <= MAX_PARTS


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"status": "REJECTED", "reason": "No media.", "expires_at": LATER}, UnsupportedMedia),
        ({"status": "EXPIRED", "expires_at": LATER}, Expired),
        ({"status": "WAITING", "expires_at": datetime.now(UTC)}, Expired),
        ({"status": "CANCELLED", "expires_at": LATER}, Conflict),
    ],
)
def test_an_upload_that_is_over_cannot_be_completed(row: dict[str, Any], error: type[ViduraError]) -> None:
    with pytest.raises(error):
        uploads.check_open(row)
    uploads.check_open({"status": "WAITING", "expires_at": LATER})


async def test_an_upload_is_kept_with_its_plan(app: Database, work: Database) -> None:
    ada = await make.viewer(work)
    async with app.unit_of_work(ada) as unit:
        item = NewMedia(kind="VIDEO", filename="a", visibility="PRIVATE")
        media_id = await media.create(unit, ada, item)
        file = await uploads.create(unit, ada, media_id, uploads.plan(**GOOD), seconds=60)
        row = await unit.row("select * from uploads where media_id = $1", media_id)
        assert row is not None
        assert uploads.stored(row) == file
        assert file.part_count == 4
        assert timedelta(seconds=50) < row["expires_at"] - datetime.now(UTC) <= timedelta(seconds=60)
        await uploads.end(unit, row["id"], "REJECTED", "No media.")
        locked = await uploads.lock(unit, row["id"])
        assert (locked["status"], locked["reason"]) == ("REJECTED", "No media.")


async def test_an_unknown_upload_is_not_found(app: Database, work: Database) -> None:
    async with app.unit_of_work(await make.viewer(work)) as unit:
        with pytest.raises(NotFound):
            await uploads.lock(unit, uuid7())
