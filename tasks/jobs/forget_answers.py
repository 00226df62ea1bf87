"""Drops answers kept under idempotency keys that nobody repeats any more."""

from db.connection import Database
from db.objects import ObjectStore

KEEP_DAYS = 2


async def run(database: Database, _: ObjectStore) -> None:
    """Keys older than two days may be used anew."""
    async with database.unit_of_work() as unit:
        await unit.execute(
            "delete from idempotency_keys where created_at < now() - make_interval(days => $1)", KEEP_DAYS
        )
