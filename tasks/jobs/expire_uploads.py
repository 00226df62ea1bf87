"""Gives up uploads that were not completed in time, and the bytes they brought."""

from db.connection import Database
from db.objects import ObjectStore

KEEP_SECONDS = 2 * 86_400.0
"""Drafts and parts untouched for so long belong to nobody: no upload may take longer."""


async def run(database: Database, store: ObjectStore) -> None:
    """Expired uploads say so, their items are cancelled, and what lay about in the store goes."""
    async with database.unit_of_work() as unit:
        await unit.execute(
            """
            with late as (
              update uploads set status = 'EXPIRED', reason = 'It was not completed in time.'
              where status = 'WAITING' and expires_at < now() returning media_id
            )
            update media set status = 'CANCELLED' from late where media.id = late.media_id
              and media.status = 'UPLOADING'
            """
        )
    await store.sweep(KEEP_SECONDS)
