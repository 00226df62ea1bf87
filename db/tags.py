"""Tags: each word exists once; what a run says about an item replaces what an earlier run said."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from db.connection import Unit
from db.events import TagsAdded
from db.outbox import emit
from db.stages import Claim

LONGEST = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A tag as a model found it; confidence 0..1 where the model gives one."""

    name: str
    confidence: float | None
    source: str


def slug(name: str) -> str:
    """The one identity of a tag: lower case, words joined by hyphens; empty when nothing is left."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w]+", "-", folded).strip("-_")[:LONGEST]


async def replace(unit: Unit, held: Claim, found: Sequence[Found]) -> None:
    """Makes `found` the machine tags of a media item; equal slugs are one tag, the surest wins."""
    best: dict[str, Found] = {}
    for tag in sorted(found, key=lambda tag: -(tag.confidence or 0.0)):
        if slug(tag.name):
            best.setdefault(slug(tag.name), tag)
    # Sorted, so that two runs that write the same new tags never wait for each other in a circle.
    slugs = sorted(best)
    await unit.execute(
        """
        insert into tags (name, slug) select * from unnest($1::text[], $2::text[])
        on conflict (slug) do nothing
        """,
        [best[name].name[:LONGEST] for name in slugs],
        slugs,
    )
    await unit.execute("delete from media_tags where media_id = $1 and run_id is not null", held.media_id)
    await unit.execute(
        """
        insert into media_tags (workspace_id, media_id, tag_id, run_id, confidence, source)
        select $1, $2, tags.id, $3, found.confidence, found.source
        from unnest($4::text[], $5::float[], $6::text[]) as found(slug, confidence, source)
        join tags using (slug)
        on conflict (media_id, tag_id) do nothing
        """,
        held.workspace_id,
        held.media_id,
        held.run_id,
        slugs,
        [best[name].confidence for name in slugs],
        [best[name].source for name in slugs],
    )
    await emit(
        unit,
        TagsAdded(
            workspace_id=held.workspace_id,
            media_id=held.media_id,
            run_id=held.run_id,
            names=[tag.name for tag in best.values()],
        ),
        held.id,
    )
