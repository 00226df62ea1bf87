"""Words to find a media item by: keyphrases of its texts, and what a vision model sees."""

from functools import partial

from db import tags as kept
from db.captions import of_run
from db.tags import Found
from inference.capabilities import Unavailable
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

PICTURES = 16


@stage(
    queue="gpu",
    after=("frames", "captions", "describe"),
    capabilities=("keyphrases", "label_image"),
    timeout=minutes(10),
)
async def tags(work: Work, media: Media) -> Result:
    """Writes tags with their source: `keyphrases` or the model that saw them."""
    text = await _text(work, media)
    pictures = await work.pictures(PICTURES)
    found: list[Found] = []
    engines: list[str] = []
    unavailable: list[str] = []
    if text:
        phrases = await work.models.keyphrases(text, work.left.get("captions", {}).get("language"))
        found += [Found(label.name, label.confidence, phrases.engine) for label in phrases.value.labels]
        engines.append(phrases.engine)
    if pictures:
        try:
            seen = await work.models.label_image(pictures)
            found += [Found(label.name, label.confidence, seen.engine) for label in seen.value.labels]
            engines.append(seen.engine)
        except Unavailable as error:
            unavailable.append(error.reason)
    if not engines:
        raise Skip(" ".join(unavailable) or "There are no words and no pictures to tag.")
    return Result(
        {"count": len(found), "unavailable": unavailable},
        engine=" + ".join(engines),
        writes=[partial(kept.replace, held=work.claim, found=found)],
    )


async def _text(work: Work, media: Media) -> str:
    async with work.database.unit_of_work() as unit:
        lines = [line.text for line in await of_run(unit, work.claim.run_id)]
    described = work.left.get("describe", {}).get("text", "")
    parts = (media.title, media.description, described, " ".join(lines))
    return "\n".join(part for part in parts if part)
