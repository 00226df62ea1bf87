"""The first look at a file: is it media, what kind, and what does it say about itself?"""

from dataclasses import asdict
from datetime import datetime
from functools import partial

from db import metadata
from tasks.media.jobs import run_probe
from tasks.media.limits import Limits
from tasks.pipeline import Media, Refused, Result, Work, minutes, stage

DEADLINE = minutes(4)


@stage(queue="media", timeout=minutes(5))
async def probe(work: Work, media: Media) -> Result:
    """Refuses what is not media or not the file the uploader announced; else keeps its metadata."""
    found = await run_probe(await work.original(media), Limits.of(work.limits, DEADLINE))
    if media.sha256 and media.sha256.lower() != found.sha256:
        raise Refused(
            "CHECKSUM",
            f"The file's SHA-256 is {found.sha256}, not {media.sha256} as announced: upload it again.",
        )
    left = asdict(found)
    recorded = datetime.fromisoformat(found.created_at) if found.created_at else None
    keep = partial(metadata.write, held=work.claim, kind=found.kind, found=left, recorded_at=recorded)
    return Result({name: value for name, value in left.items() if name != "raw"}, writes=[keep])
