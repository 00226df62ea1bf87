"""A few sentences on what a media item shows and says, by a model or a fallback that says it is one."""

from functools import partial

from db import descriptions
from db.captions import of_run
from db.stages import CostLine
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

PICTURES = 8


@stage(queue="io", after=("frames", "captions"), capabilities=("describe",), timeout=minutes(10))
async def describe(work: Work, media: Media) -> Result:
    """Writes the item's AI description, apart from the uploader's own."""
    async with work.database.unit_of_work() as unit:
        transcript = " ".join(line.text for line in await of_run(unit, work.claim.run_id))
    pictures = await work.pictures(PICTURES)
    if not (transcript or pictures or media.title):
        raise Skip("There are no words and no pictures to describe.")
    answer = await work.models.describe(pictures, transcript, media.title)
    text, engine = answer.value.text, answer.engine
    return Result(
        {"text": text},
        engine=engine,
        writes=[partial(descriptions.write, held=work.claim, text=text, engine=engine)],
        costs=[
            CostLine(cost.service, f"describe:{cost.unit}", cost.units, cost.unit, cost.amount_micros)
            for cost in answer.costs
        ],
    )
