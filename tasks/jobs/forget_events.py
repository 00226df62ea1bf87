"""Drops events that nobody can resume from any more."""

from db.connection import Database
from db.objects import ObjectStore

KEEP_DAYS = 7


async def run(database: Database, _: ObjectStore) -> None:
    """Events older than a week go; a cursor before them is answered with RESYNC."""
    async with database.unit_of_work() as unit:
        await unit.execute(
            """
            with gone as (
              delete from events
              where at < now() - make_interval(days => $1) and seq is not null returning seq
            )
            update relay set kept_from = greatest(kept_from, coalesce((select max(seq) from gone), 0))
            """,
            KEEP_DAYS,
        )
