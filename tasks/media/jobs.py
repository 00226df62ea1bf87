"""One typed call per media job: what a stage asks for, and what comes back."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tasks.media.audio import Audio
from tasks.media.frames import Frames
from tasks.media.limits import JSON, Limits, MediaJobFailed
from tasks.media.probe import Probe
from tasks.media.sandbox import OnProgress, run_job
from tasks.media.subtitles import Subtitles

Result = TypeVar("Result", Probe, Frames, Audio, Subtitles)


async def run_probe(path: Path, limits: Limits) -> Probe:
    """What the file at `path` is; raises MediaRefused where it cannot be taken."""
    found = await run_job(
        "tasks.media.child.probe:work", {"path": str(path)}, read=[path], write=None, limits=limits
    )
    return _checked(Probe, found)


async def run_frames(path: Path, out: Path, limits: Limits, on_progress: OnProgress | None = None) -> Frames:
    """Decodes a video or image once; key frames and SMALL_FILE go to the folder `out`. Progress in s."""
    arguments: dict[str, JSON] = {"path": str(path), "out": str(out.resolve())}
    found = await run_job(
        "tasks.media.child.frames:work",
        arguments,
        read=[path],
        write=out,
        limits=limits,
        on_progress=on_progress,
    )
    return _checked(Frames, found)


async def run_audio(path: Path, out: Path, limits: Limits, on_progress: OnProgress | None = None) -> Audio:
    """Writes the sound to the file `out` as 16 kHz mono WAV; MediaRefused NO_AUDIO where there is none."""
    arguments: dict[str, JSON] = {"path": str(path), "out": str(out.resolve())}
    found = await run_job(
        "tasks.media.child.audio:work",
        arguments,
        read=[path],
        write=out.parent,
        limits=limits,
        on_progress=on_progress,
    )
    return _checked(Audio, found)


async def run_subtitles(path: Path, limits: Limits, track: int | None = None) -> Subtitles:
    """The cues of the text track with this stream index (Probe.subtitles names them), or of the first."""
    arguments: dict[str, JSON] = {"path": str(path), "track": track}
    found = await run_job(
        "tasks.media.child.subtitles:work", arguments, read=[path], write=None, limits=limits
    )
    return _checked(Subtitles, found)


def _checked(kind: type[Result], found: dict[str, Any]) -> Result:
    # The child has read hostile bytes: what it says is checked like any other input.
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError:
        raise MediaJobFailed("CRASHED", "The job gave an answer that makes no sense.") from None
