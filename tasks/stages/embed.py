"""Vectors to find moments by: one per stretch of text, and one per key frame where a model sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import embeddings
from db.captions import Line, of_run
from db.embeddings import Segment
from db.stages import Write
from inference.capabilities import Unavailable
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

LONGEST_SECONDS = 30.0
LONGEST_TEXT = 600
PICTURES = 512
BATCH = 64


@dataclass(frozen=True, slots=True)
class Stretch:
    """Captions that belong together; no times for texts about the whole item."""

    text: str
    start_time: float | None = None
    end_time: float | None = None


@stage(
    queue="gpu",
    after=("frames", "captions", "describe"),
    capabilities=("embed_text", "embed_image"),
    timeout=minutes(30),
)
async def embed(work: Work, media: Media) -> Result:
    """Writes the vectors of one text space and, where a model is there, of one picture space."""
    async with work.database.unit_of_work() as unit:
        lines = await of_run(unit, work.claim.run_id)
    about = (media.title, media.description, work.left.get("describe", {}).get("text"))
    texts = [Stretch(text) for text in about if text] + stretches(lines)
    writes: list[Write] = []
    engines: list[str] = []
    reasons: list[str] = []
    for embedded in (_texts(work, texts), _pictures(work)):
        try:
            write, engine = await embedded
            writes.append(write)
            engines.append(engine)
        except (Unavailable, Skip) as error:
            reasons.append(str(error))
    if not engines:
        raise Skip(" ".join(f"{reason.rstrip('.')}." for reason in reasons))
    return Result({"texts": len(texts), "unavailable": reasons}, " + ".join(engines), writes)


async def _texts(work: Work, texts: Sequence[Stretch]) -> tuple[Write, str]:
    if not texts:
        raise Skip("There are no words to embed.")
    segments: list[Segment] = []
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        answer = await work.models.embed_text([one.text for one in some])
        segments += [
            Segment(one.start_time, one.end_time, one.text, vector)
            for one, vector in zip(some, answer.value.values, strict=True)
        ]
        await work.progress(len(segments), len(texts), answer.model)
    return _write(work, "text", answer.model, answer.version, segments), answer.engine


async def _pictures(work: Work) -> tuple[Write, str]:
    frames = work.key_frames(PICTURES)
    if not frames:
        raise Skip("There are no pictures to embed.")
    segments: list[Segment] = []
    for start in range(0, len(frames), BATCH):
        some = frames[start : start + BATCH]
        answer = await work.models.embed_image([await work.store.get_bytes(one["key"]) for one in some])
        segments += [
            Segment(one["at"], one["at"], None, vector)
            for one, vector in zip(some, answer.value.values, strict=True)
        ]
    return _write(work, "frame", answer.model, answer.version, segments), answer.engine


def _write(work: Work, kind: str, model: str, version: str, segments: Sequence[Segment]) -> Write:
    return partial(
        embeddings.replace, held=work.claim, kind=kind, model=model, version=version, segments=segments
    )


def stretches(lines: Sequence[Line]) -> list[Stretch]:
    """Joins captions, in order, into stretches of at most half a minute and 600 characters."""
    joined: list[Stretch] = []
    for line in lines:
        last = joined[-1] if joined else None
        if (
            last
            and line.end_time - (last.start_time or 0.0) <= LONGEST_SECONDS
            and len(last.text) + len(line.text) < LONGEST_TEXT
        ):
            joined[-1] = Stretch(f"{last.text} {line.text}", last.start_time, line.end_time)
        else:
            joined.append(Stretch(line.text, line.start_time, line.end_time))
    return joined
