"""What is said: the file's own subtitles if it has some, else what a model hears."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from db import captions as kept
from db.captions import Line
from db.stages import CostLine
from inference.capabilities import Segment
from tasks.media.jobs import run_subtitles
from tasks.media.limits import Limits
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

TIMEOUT = minutes(120)


@stage(queue="gpu", after=("audio",), kinds=("VIDEO", "AUDIO"), capabilities=("transcribe",), timeout=TIMEOUT)
async def captions(work: Work, media: Media) -> Result:
    """Writes captions with their times and, where the engine gives them, words."""
    if tracks := work.left["probe"]["subtitles"]:
        return await _embedded(work, media, tracks[0])
    if "audio" not in work.left:
        raise Skip("There is no audio track to hear and no subtitle track to read.")
    return await _heard(work)


async def _embedded(work: Work, media: Media, track: dict[str, Any]) -> Result:
    file = await work.original(media)
    read = await run_subtitles(file, Limits.of(work.limits, minutes(5)), track["index"])
    lines = [Line(cue.text, cue.start, cue.end) for cue in read.cues]
    return _result(work, lines, read.language, f"embedded:{read.codec}")


async def _heard(work: Work) -> Result:
    sound = work.left["audio"]
    file: Path = await work.store.fetch(sound["key"], work.scratch)
    length = round(sound["duration_seconds"])
    newest = 0

    def heard(segment: Segment) -> None:
        nonlocal newest
        newest = min(length, round(segment.end))

    answer = await work.while_telling(
        work.models.transcribe(file, None, heard, deadline=TIMEOUT - 60), lambda: (newest, length)
    )
    lines = [
        Line(s.text.strip(), s.start, s.end, s.confidence, [asdict(word) for word in s.words] or None)
        for s in answer.value.segments
        if s.text.strip()
    ]
    costs = [
        CostLine(cost.service, "transcribe", cost.units, cost.unit, cost.amount_micros)
        for cost in answer.costs
    ]
    return _result(work, lines, answer.value.language, answer.engine, costs)


def _result(
    work: Work, lines: list[Line], language: str | None, source: str, costs: list[CostLine] | None = None
) -> Result:
    write = partial(kept.replace, held=work.claim, lines=lines, language=language, source=source)
    return Result(
        {"count": len(lines), "language": language}, engine=source, writes=[write], costs=costs or ()
    )
