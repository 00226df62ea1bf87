"""Rows that workers would write: runs, captions, tags and metadata, without running anything."""

from typing import Any
from uuid import UUID

from db.connection import Database, Row


async def run(work: Database, media_id: UUID, **columns: Any) -> UUID:
    """The next run of an item."""
    async with work.unit_of_work() as unit:
        made: UUID = await unit.value(
            """
            insert into runs (workspace_id, media_id, number, status)
            select workspace_id, id, 1 + (select count(*) from runs where media_id = $1), 'ANALYZED'
            from media where id = $1 returning id
            """,
            media_id,
        )
        await unit.execute("update media set latest_run_id = $2 where id = $1", media_id, made)
    await change(work, "runs", made, **columns)
    return made


async def stage(work: Database, run_id: UUID, name: str, **columns: Any) -> UUID:
    """A stage of a run."""
    async with work.unit_of_work() as unit:
        made: UUID = await unit.value(
            """
            insert into stages (workspace_id, media_id, run_id, name, queue, after)
            select workspace_id, media_id, id, $2, 'media', '{}' from runs where id = $1 returning id
            """,
            run_id,
            name,
        )
    await change(work, "stages", made, **columns)
    return made


async def captions(work: Database, run_id: UUID, *texts: str, language: str = "en") -> None:
    """One caption per text, a second each."""
    async with work.unit_of_work() as unit:
        await unit.execute(
            """
            insert into captions (workspace_id, media_id, run_id, shard, ordinal, text, start_time, end_time,
                                  language, source)
            select r.workspace_id, r.media_id, r.id, $3, n, text, n - 1, n, $3, 'test'
            from runs r, unnest($2::text[]) with ordinality as said(text, n) where r.id = $1
            """,
            run_id,
            texts,
            language,
        )


async def tag(work: Database, media_id: UUID, *slugs: str) -> None:
    """Tags on an item, the surest first."""
    async with work.unit_of_work() as unit:
        await unit.execute(
            "insert into tags (name, slug) select s, s from unnest($1::text[]) s on conflict do nothing",
            slugs,
        )
        await unit.execute(
            """
            insert into media_tags (workspace_id, media_id, tag_id, confidence, source)
            select m.workspace_id, m.id, tags.id, 1.0 / n, 'test'
            from media m, unnest($2::text[]) with ordinality as said(slug, n) join tags using (slug)
            where m.id = $1
            """,
            media_id,
            slugs,
        )


async def metadata(work: Database, media_id: UUID, **columns: Any) -> None:
    """What probing would have found."""
    async with work.unit_of_work() as unit:
        made = await unit.value(
            """
            insert into media_metadata
              (workspace_id, media_id, format, mime_type, public_id, size_bytes, sha256)
            select workspace_id, id, 'mp4', 'video/mp4', id::text, 1000, repeat('0', 64)
            from media where id = $1 returning id
            """,
            media_id,
        )
    await change(work, "media_metadata", made, **columns)


async def change(work: Database, table: str, key: UUID, **columns: Any) -> None:
    """Sets columns of a row."""
    async with work.unit_of_work() as unit:
        for name, value in columns.items():
            await unit.execute(f"update {table} set {name} = $2 where id = $1", key, value)


async def fetch(work: Database, sql: str, *values: Any) -> list[Row]:
    """What lies in the database, whoever asks."""
    async with work.unit_of_work() as unit:
        return await unit.rows(sql, *values)
