"""Vectors: each in its model's own space, found by an index of that space alone."""

import numpy as np

from db import embeddings
from db.connection import Database
from db.embeddings import Segment
from tests.db.test_tags import claimed


def segments(count: int, size: int) -> list[Segment]:
    """Unit vectors along the axes."""
    axes = np.eye(size, dtype=np.float32)
    return [Segment(float(n), float(n + 1), f"text {n}", axes[n]) for n in range(count)]


async def test_spaces_of_different_sizes_live_side_by_side_each_with_its_index(work: Database) -> None:
    held = await claimed(work)
    async with work.unit_of_work() as unit:
        await embeddings.replace(unit, held, "text", "small", "1", segments(3, 4))
        await embeddings.replace(unit, held, "text", "large", "1", segments(5, 8))
        rows = await unit.rows(
            """
            select indexdef from pg_indexes
            where tablename = 'embeddings' and indexdef ~ 'hnsw' and indexdef ~ 'small|large'
            """
        )
        nearest = await unit.rows(
            """
            select source_text from embeddings
            where run_id = $1 and model = 'small' and model_version = '1'
            order by vector::vector(4) <=> $2 limit 1
            """,
            held.run_id,
            np.array([0.1, 0.9, 0.1, 0.0], np.float32),
        )
    assert sorted("vector(4)" in row["indexdef"] for row in rows) == [False, True]
    assert nearest[0]["source_text"] == "text 1"


async def test_a_retry_replaces_the_vectors_of_its_run(work: Database) -> None:
    held = await claimed(work)
    for count in (5, 5, 2):
        async with work.unit_of_work() as unit:
            await embeddings.replace(unit, held, "text", "small", "2", segments(count, 8))
    async with work.unit_of_work() as unit:
        kept = await unit.value("select count(*) from embeddings where run_id = $1", held.run_id)
    assert kept == 2


async def test_the_index_of_a_space_is_used(work: Database) -> None:
    """S7."""
    held = await claimed(work)
    async with work.unit_of_work() as unit:
        await embeddings.replace(unit, held, "text", "plan", "1", segments(8, 8))
        await unit.execute("set local enable_seqscan = off")
        await unit.execute("set local enable_sort = off")
        plan = await unit.rows(
            """
            explain select id from embeddings where model = 'plan' and model_version = '1'
            order by vector::vector(8) <=> '[1,0,0,0,0,0,0,0]' limit 3
            """
        )
    assert any("embeddings_hnsw_" in row[0] for row in plan)
