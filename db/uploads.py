"""Uploads: what may be brought in, and how bytes on their way become an item's file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from db.connection import Row, Unit, Viewer
from db.errors import Conflict, Expired, InvalidInput, NotFound, TooLarge, UnsupportedMedia
from db.models.fields import uuid7
from db.models.media import Upload
from db.objects import MAX_PARTS
from db.objects import Upload as StoredUpload

CONTENT_TYPE = re.compile(r"(video|image|audio)/[a-z0-9][a-z0-9.+-]{0,100}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """A file that is about to come, in parts of `part_bytes`."""

    filename: str
    content_type: str
    size_bytes: int
    part_bytes: int
    sha256: str | None = None
    stages: Sequence[str] | None = None


def plan(
    *, filename: str, content_type: str, size_bytes: int, sha256: str | None, limit: int, part_bytes: int
) -> NewUpload:
    """The upload that is asked for, if it may be: InvalidInput, TooLarge, UnsupportedMedia."""
    if not 1 <= len(filename.strip()) <= LONGEST_NAME or re.search(r"[/\\\x00-\x1f\x7f]", filename):
        raise InvalidInput(
            f"A file name has 1 to {LONGEST_NAME} characters, no folders and no control characters.",
            ["filename"],
        )
    mime_type = content_type.partition(";")[0].strip().lower()
    if not CONTENT_TYPE.fullmatch(mime_type):
        raise UnsupportedMedia("We take video/…, image/… and audio/… files.", ["contentType"])
    if size_bytes < 1:
        raise InvalidInput("A file has at least one byte.", ["sizeBytes"])
    if size_bytes > limit:
        raise TooLarge(f"A file has at most {limit} bytes.", ["sizeBytes"])
    if sha256 is not None and not SHA256.fullmatch(sha256.lower()):
        raise InvalidInput("A SHA-256 is 64 hex digits.", ["sha256"])
    return NewUpload(
        filename=filename.strip(),
        content_type=mime_type,
        size_bytes=size_bytes,
        part_bytes=max(part_bytes, -(-size_bytes // MAX_PARTS)),
        sha256=sha256 and sha256.lower(),
    )


async def create(
    unit: Unit, viewer: Viewer, media_id: UUID, new: NewUpload, *, seconds: float
) -> StoredUpload:
    """Makes an upload that may be completed for so many seconds; its plan, with the id as text."""
    key = uuid7()
    await Upload.create(
        id=key,
        workspace_id=viewer.workspace_id,
        owner_id=viewer.user_id,
        media_id=media_id,
        expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
        using_db=unit.orm,
        **{name: getattr(new, name) for name in NewUpload.__slots__},
    )
    return StoredUpload(str(key), new.size_bytes, new.part_bytes)


def stored(upload: Mapping[str, Any]) -> StoredUpload:
    """An upload as the object store knows it."""
    return StoredUpload(str(upload["id"]), upload["size_bytes"], upload["part_bytes"])


async def lock(unit: Unit, upload_id: UUID) -> Row:
    """The upload, locked: whoever else completes it waits. NotFound."""
    upload = await unit.row("select * from uploads where id = $1 for update", upload_id)
    if upload is None:
        raise NotFound("There is no such upload.", ["uploadId"])
    return upload


def check_open(upload: Row) -> None:
    """Refuses an upload that can no longer be completed: Expired, Conflict, UnsupportedMedia."""
    if upload["status"] == "REJECTED":
        raise UnsupportedMedia(upload["reason"], ["uploadId"])
    if upload["status"] == "EXPIRED" or upload["expires_at"] <= datetime.now(UTC):
        raise Expired("This upload was not completed in time. Begin a new one.", ["uploadId"])
    if upload["status"] != "WAITING":
        raise Conflict(f"This upload is {upload['status']}.", ["uploadId"])


async def end(unit: Unit, upload_id: UUID, status: str, reason: str | None = None) -> None:
    """Gives an upload its last status."""
    await unit.execute("update uploads set status = $2, reason = $3 where id = $1", upload_id, status, reason)
