"""Uploading: an item and a plan of parts, then the parts themselves to the store, then completion."""

import base64
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from db import media, runs, uploads
from db.catalogue import check_stages
from db.connection import Row as Record
from db.connection import Unit
from db.errors import InvalidInput, UnsupportedMedia
from db.media import NewMedia
from db.objects import Upload as StoredUpload
from resolvers import checks
from resolvers.access import login
from resolvers.changes import user_error
from resolvers.compile.reads import Row
from resolvers.compile.source import ById, Of, One
from resolvers.context import Context
from schema.inputs.uploads import CompleteUploadInput, CreateUploadInput
from tasks.media.magic import HEAD_BYTES, playlist, sniff

MOST_PARTS = 1000

UPLOAD = One("uploads", ById("The upload's id."))
MEDIA = One("media", Of("media_id"))
STATUS = "case when t.status = 'WAITING' and t.expires_at <= now() then 'EXPIRED' else t.status end"
PART_COUNT = "((t.size_bytes + t.part_bytes - 1) / t.part_bytes)::int"


async def create_upload(
    unit: Unit, context: Context, input: Annotated[CreateUploadInput, "The file and its item."]
) -> dict[str, Any]:
    """Makes the item and opens the store for its parts."""
    viewer, options = login(context.viewer), context.options
    new = uploads.plan(
        filename=input.filename,
        content_type=input.content_type,
        size_bytes=input.size_bytes,
        sha256=input.sha256,
        limit=options.max_upload_bytes,
        part_bytes=options.part_bytes,
    )
    if input.stages is not None:
        await check_stages(unit, input.stages)
    media_id = await media.create(unit, viewer, _item(input, new))
    upload = await uploads.create(
        unit, viewer, media_id, replace(new, stages=input.stages), seconds=options.upload_seconds
    )
    await context.store.open_upload(upload.id, upload.size_bytes, upload.part_bytes)
    return {"upload": upload.id}


def _item(input: CreateUploadInput, new: uploads.NewUpload) -> NewMedia:
    place = input.location
    latitude, longitude = (
        checks.point(place.latitude, place.longitude, ["location"]) if place else (None, None)
    )
    return NewMedia(
        kind=new.content_type.partition("/")[0].upper(),
        filename=new.filename,
        visibility=input.visibility.value,
        title=(input.title and checks.text(input.title, ["title"], longest=300, least=0)) or None,
        description=(
            input.description and checks.text(input.description, ["description"], longest=10_000, least=0)
        )
        or None,
        latitude=latitude,
        longitude=longitude,
        recorded_at=input.recorded_at,
    )


async def complete_upload(
    unit: Unit, context: Context, input: Annotated[CompleteUploadInput, "The upload and its parts."]
) -> dict[str, Any]:
    """Makes the parts a file and launches its analysis; done once, then answered the same again."""
    upload = await uploads.lock(unit, checks.row_id("uploads", input.upload_id, ("uploadId",)))
    item = await unit.row("select * from media where id = $1", upload["media_id"])
    assert item is not None
    if upload["status"] == "COMPLETED":
        return {"media": item["id"], "run": await _first_run(unit, item["id"])}
    uploads.check_open(upload)
    parts = [(part.number, part.etag) for part in input.parts]
    await context.store.complete(uploads.stored(upload), parts, item["object_key"])
    head = await context.store.read(item["object_key"], 0, HEAD_BYTES)
    try:
        kind = accepted_kind(head, upload["content_type"])
    except UnsupportedMedia as error:
        return await _reject(unit, context, upload, item, error)
    await uploads.end(unit, upload["id"], "COMPLETED")
    await media.bytes_arrived(unit, item, kind)
    run_id = await runs.launch(
        unit,
        media_id=item["id"],
        stages=upload["stages"],
        correlation_id=context.request_id or None,
        arrived=True,
    )
    return {"media": item["id"], "run": run_id}


def accepted_kind(head: bytes, announced: str) -> str:
    """VIDEO, IMAGE or AUDIO by a file's first bytes; UnsupportedMedia for what is none of them."""
    path = ["uploadId"]
    if listed := playlist(head):
        raise UnsupportedMedia(f"This is a playlist ({listed}), which names files but holds none.", path)
    found = sniff(head)
    if found is None:
        raise UnsupportedMedia("The file does not begin like any kind of media we take.", path)
    # Sound and moving pictures share containers; a still picture is never either.
    if found.startswith("image/") != announced.startswith("image/"):
        raise UnsupportedMedia(f"The file was announced as {announced} but begins like {found}.", path)
    return found.partition("/")[0].upper()


async def _reject(
    unit: Unit, context: Context, upload: Record, item: Record, error: UnsupportedMedia
) -> dict[str, Any]:
    """The refusal is an answer, not an exception: what it changes must be kept."""
    await uploads.end(unit, upload["id"], "REJECTED", error.message)
    await media.refuse(unit, item)
    await context.store.delete(item["object_key"])
    error.path = ["input", *error.path]
    return {"errors": [user_error(error)]}


async def _first_run(unit: Unit, media_id: UUID) -> UUID | None:
    run_id: UUID | None = await unit.value(
        "select id from runs where media_id = $1 order by number limit 1", media_id
    )
    return run_id


async def parts(
    upload: Row,
    context: Context,
    first: Annotated[int, f"How many parts, at most {MOST_PARTS}."] = 100,
    after_number: Annotated[int, "Only parts behind this number."] = 0,
    missing_only: Annotated[bool, "Only parts that have not arrived."] = False,
) -> list[dict[str, Any]]:
    """The parts of an upload, with links to send them to; asking again resumes what broke off."""
    if not 0 <= first <= MOST_PARTS or after_number < 0:
        raise InvalidInput(f"`first` is between 0 and {MOST_PARTS}, `afterNumber` at least 0.", ["first"])
    file = uploads.stored(upload.record)
    arrived = await context.store.received_parts(file) if upload["status"] == "WAITING" else {}
    over = upload["status"] == "COMPLETED"
    numbers = (
        number
        for number in range(after_number + 1, file.part_count + 1)
        if not (missing_only and (over or number in arrived))
    )
    return [
        _part(upload, context, file, number, over or number in arrived, arrived.get(number))
        for _, number in zip(range(first), numbers, strict=False)
    ]


def _part(
    upload: Row, context: Context, file: StoredUpload, number: int, received: bool, etag: str | None
) -> dict[str, Any]:
    # The file's own checksum is also its only part's.
    checksum = upload["sha256"] if upload["sha256"] and file.part_count == 1 else ""
    header = {"name": "x-amz-checksum-sha256", "value": base64.b64encode(bytes.fromhex(checksum)).decode()}
    return {
        "number": number,
        "method": "PUT",
        "url": context.store.part_url(file, number, upload["expires_at"], checksum),
        "headers": [header] if checksum else [],
        "offset_bytes": file.offset(number),
        "size_bytes": file.size(number),
        "received": received,
        "etag": etag,
    }
