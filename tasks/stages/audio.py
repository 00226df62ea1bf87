"""The sound of a media item as models want it: 16 kHz, one channel."""

from dataclasses import asdict

from tasks.media.jobs import run_audio
from tasks.media.limits import Limits
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

TIMEOUT = minutes(60)


@stage(queue="media", kinds=("VIDEO", "AUDIO"), timeout=TIMEOUT)
async def audio(work: Work, media: Media) -> Result:
    """Leaves the WAV's key, its length and loudness."""
    if not work.left["probe"]["has_audio"]:
        raise Skip("The file has no audio track.")
    # A folder of its own: the job may write there, and the original lies beside it.
    out = work.scratch / "heard" / "audio.wav"
    out.parent.mkdir()
    file = await work.original(media)
    heard = await run_audio(file, out, Limits.of(work.limits, TIMEOUT - 60), work.progress)
    return Result(asdict(heard) | {"key": await work.keep("audio.wav", out)})
