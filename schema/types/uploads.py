"""Uploads: bytes on their way in."""

from datetime import datetime

from resolvers import uploads
from resolvers.access import ANYONE, AUTHENTICATED
from resolvers.compile.source import Column, Of, One, Python, Sql
from schema.enums import UploadStatus
from schema.fields import changed_by, field, record
from schema.scalars import URL, BigInt
from schema.types.errors import UserError
from schema.types.media import Media
from schema.types.node import Node
from schema.types.runs import Run


@record("A header to send.")
class HttpHeader:
    """A header."""

    name: str = field(Column("name"), ANYONE, "Its name.")
    value: str = field(Column("value"), ANYONE, "Its value.")


@record("A stretch of the file, and where to send it.")
class UploadPart:
    """A part."""

    number: int = field(Column("number"), ANYONE, "Its number, from 1.")
    method: str = field(Column("method"), ANYONE, "The HTTP method to send it with.")
    url: URL = field(Column("url"), ANYONE, "Where to send it; good until the upload expires.")
    headers: list[HttpHeader] = field(Column("headers"), ANYONE, "Headers that must go with it.")
    offset_bytes: BigInt = field(Column("offset_bytes"), ANYONE, "Where in the file it begins.")
    size_bytes: BigInt = field(Column("size_bytes"), ANYONE, "How many bytes it has, no more and no less.")
    received: bool = field(Column("received"), ANYONE, "Whether it has arrived.")
    etag: str | None = field(Column("etag"), ANYONE, "Its etag, once it has arrived.")


@record("A file on its way in, part by part; what broke off goes on with the missing parts.", table="uploads")
class Upload(Node):
    """An upload."""

    status: UploadStatus = field(Sql(uploads.STATUS), ANYONE, "Where it stands.")
    parts: list[UploadPart] = field(
        Python(uploads.parts, needs=("id", "status", "size_bytes", "part_bytes", "sha256", "expires_at")),
        ANYONE,
        "Its parts in order, with links to send them to.",
    )
    part_count: int = field(Sql(uploads.PART_COUNT), ANYONE, "How many parts it has.")
    part_size_bytes: BigInt = field(Column("part_bytes"), ANYONE, "How large each part but the last is.")
    expires_at: datetime = field(Column("expires_at"), ANYONE, "Until when it may be completed.")
    media: Media = field(uploads.MEDIA, ANYONE, "The item whose file it is.")
    reason: str | None = field(Column("reason"), ANYONE, "Why it was rejected.")


@record("What creating an upload answers.")
class UploadPayload:
    """An upload or the reason why not."""

    upload: Upload | None = field(One("uploads", Of("upload")), ANYONE, "The upload.")
    errors: list[UserError] = field(Column("errors"), ANYONE, "Why not, if it was refused.")


@record("What completing an upload answers.")
class CompleteUploadPayload:
    """An item with its run, or the reason why not."""

    media: Media | None = field(One("media", Of("media")), ANYONE, "The item.")
    run: Run | None = field(One("runs", Of("run")), ANYONE, "Its first analysis, on its way.")
    errors: list[UserError] = field(Column("errors"), ANYONE, "Why not, if it was refused.")


@record("Reading uploads.")
class UploadQueries:
    """Uploads at the root."""

    upload: Upload | None = field(uploads.UPLOAD, ANYONE, "An upload of one's own workspace by its id.")


@record("Uploading.")
class UploadMutations:
    """Uploads at the root."""

    create_upload: UploadPayload = changed_by(
        uploads.create_upload, AUTHENTICATED, "Makes an item and a plan of parts to send."
    )
    complete_upload: CompleteUploadPayload = changed_by(
        uploads.complete_upload,
        AUTHENTICATED,
        "Makes the parts that were sent one file and launches its analysis; repeating it changes nothing.",
    )
