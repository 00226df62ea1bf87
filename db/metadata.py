"""What a file says about itself, kept beside the item; the uploader's own words always win."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from db.connection import Unit
from db.events import MediaUpdated
from db.outbox import emit
from db.stages import Claim

COLUMNS = (
    "format",
    "mime_type",
    "size_bytes",
    "sha256",
    "duration_seconds",
    "width",
    "height",
    "fps",
    "video_codec",
    "audio_codec",
    "bitrate",
    "rotation",
    "hdr",
    "has_audio",
    "latitude",
    "longitude",
)


async def write(
    unit: Unit, held: Claim, kind: str, found: Mapping[str, Any], recorded_at: datetime | None
) -> None:
    """Keeps what probing found, and fills the item's kind, place and time where the uploader gave none."""
    names = (*COLUMNS, "recorded_at", "probe")
    values = [*(found[name] for name in COLUMNS), recorded_at, found["raw"]]
    if kind == "AUDIO":
        values[COLUMNS.index("rotation")] = None
    # The public id names the file to the outside; it is drawn once and outlives every new run.
    await unit.execute(
        f"""
        insert into media_metadata (workspace_id, media_id, public_id, {", ".join(names)})
        values ($1, $2, translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=', '-_'),
                {", ".join(f"${place}" for place in range(3, 3 + len(names)))})
        on conflict (media_id) do update set {", ".join(f"{name} = excluded.{name}" for name in names)}
        """,
        held.workspace_id,
        held.media_id,
        *values,
    )
    status = await unit.value(
        """
        update media set kind = $2, recorded_at = coalesce(recorded_at, $5),
               longitude = case when latitude is null then $4 else longitude end,
               latitude = coalesce(latitude, $3)
        where id = $1 returning status
        """,
        held.media_id,
        kind,
        found["latitude"],
        found["longitude"],
        recorded_at,
    )
    await emit(
        unit,
        MediaUpdated(
            workspace_id=held.workspace_id, media_id=held.media_id, run_id=held.run_id, status=status
        ),
    )
