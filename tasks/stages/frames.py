"""The one decode of a run: shots, key frames, small frames and hashes, kept as objects for the others."""

import json
from dataclasses import asdict

from tasks.media.jobs import run_frames
from tasks.media.limits import Limits
from tasks.pipeline import Media, Result, Work, minutes, stage

TIMEOUT = minutes(120)


@stage(queue="media", kinds=("VIDEO", "IMAGE"), timeout=TIMEOUT)
async def frames(work: Work, media: Media) -> Result:
    """Leaves the shots and key frames; `index` names an object that tells all, small frames included."""
    out = work.scratch / "frames"
    out.mkdir()
    file = await work.original(media)
    found = await run_frames(file, out, Limits.of(work.limits, TIMEOUT - 60), work.progress)
    keys = {path.name: await work.keep(path.name, path) for path in sorted(out.iterdir())}
    whole = asdict(found)
    await work.store.put_bytes(work.key("frames.json"), json.dumps(whole).encode(), "application/json")
    return Result(
        {
            "index": work.key("frames.json"),
            "objects": keys,
            "shots": whole["shots"],
            "key_frames": [frame | {"key": keys[frame["file"]]} for frame in whole["key_frames"]],
            "decoded_frames": found.decoded_frames,
        }
    )
