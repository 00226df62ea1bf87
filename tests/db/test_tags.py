"""Tags: one per word, whoever writes it and however."""

import pytest

from db import tags
from db.connection import Database
from db.stages import Claim
from db.tags import Found, slug
from tests.support import make, pipeline


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Harbour", "harbour"),
        ("  High   Waves! ", "high-waves"),
        ("Straße", "strasse"),
        ("Ｆｕｌｌ", "full"),
        ("港", "港"),
        ("!!!", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_slug_is_what_spellings_have_in_common(name: str, expected: str) -> None:
    assert slug(name) == expected


async def claimed(work: Database) -> Claim:
    """A stage of a new item."""
    run = await pipeline.launch(work, await make.media(work, await make.viewer(work)))
    held = await pipeline.claim(work, run, "probe")
    assert held is not None
    return held


async def of(work: Database, held: Claim) -> list[tuple[str, float | None]]:
    """The slugs and confidences of an item."""
    async with work.unit_of_work() as unit:
        rows = await unit.rows(
            "select slug, confidence from media_tags join tags on tags.id = tag_id"
            " where media_id = $1 order by slug",
            held.media_id,
        )
    return [(row["slug"], row["confidence"]) for row in rows]


async def test_spellings_of_one_word_are_one_tag_and_the_surest_wins(work: Database) -> None:
    """T18."""
    held = await claimed(work)
    found = [Found("Fishing boat", 0.4, "a"), Found("fishing-BOAT", 0.9, "b"), Found("?", 1.0, "c")]
    async with work.unit_of_work() as unit:
        await tags.replace(unit, held, found)
    assert await of(work, held) == [("fishing-boat", 0.9)]


async def test_two_items_share_a_tag_and_a_new_run_replaces_what_the_last_one_found(work: Database) -> None:
    first, second = await claimed(work), await claimed(work)
    for held in (first, second, first):
        async with work.unit_of_work() as unit:
            name = "lighthouse" if held is second else "beam"
            await tags.replace(unit, held, [Found(name, 0.5, "a"), Found("shared by both", 0.5, "a")])
    assert [name for name, _ in await of(work, first)] == ["beam", "shared-by-both"]
    async with work.unit_of_work() as unit:
        assert await unit.value("select count(*) from tags where slug = 'shared-by-both'") == 1
