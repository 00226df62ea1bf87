"""Inputs of uploading."""

from datetime import datetime

import strawberry

from schema.enums import Visibility
from schema.inputs.media import GeoPointInput
from schema.scalars import BigInt


@strawberry.input(description="A file that is about to be uploaded, and what is known about it.")
class CreateUploadInput:
    """The file's plan and the item's own words."""

    filename: str = strawberry.field(description="The file's name without folders, at most 255 characters.")
    content_type: str = strawberry.field(description="Its MIME type: video/…, image/… or audio/….")
    size_bytes: BigInt = strawberry.field(description="Its exact size in bytes.")
    sha256: str | None = strawberry.field(
        description="SHA-256 of the whole file, 64 hex digits. A file of one part is checked as it arrives."
    )
    title: str | None = strawberry.field(description="A title, at most 300 characters.")
    description: str | None = strawberry.field(description="What it shows, at most 10,000 characters.")
    location: GeoPointInput | None = strawberry.field(
        description="Where it was recorded; else the file's own place, if it has one."
    )
    recorded_at: datetime | None = strawberry.field(
        description="When it was recorded; else the file's own time, if it has one."
    )
    visibility: Visibility = strawberry.field(description="Who may see it.", default=Visibility.PRIVATE)
    stages: list[str] | None = strawberry.field(description="Names of the stages to run; all, if left out.")
    idempotency_key: str | None = strawberry.field(
        description="Makes repeating safe: the same key with the same input has one effect and one answer."
    )


@strawberry.input(description="A part that was sent, with the etag it was answered with.")
class UploadedPartInput:
    """One part as the uploader knows it."""

    number: int = strawberry.field(description="The part's number, from 1.")
    etag: str = strawberry.field(description="The ETag header of the answer to the part's PUT.")


@strawberry.input(description="An upload whose parts have all been sent.")
class CompleteUploadInput:
    """An upload and all its parts."""

    upload_id: strawberry.ID = strawberry.field(description="The upload.")
    parts: list[UploadedPartInput] = strawberry.field(description="Every part, each exactly once.")
    idempotency_key: str | None = strawberry.field(
        description="Makes repeating safe, which completing is by itself."
    )
