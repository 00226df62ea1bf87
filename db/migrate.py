"""Brings a database to the newest version, or back to an older one, one process at a time."""

import pkgutil
from urllib.parse import unquote, urlsplit

import asyncpg
from tortoise.context import TortoiseContext
from tortoise.migrations.api.migrate import migrate as run_migrations

from db import migrations
from db.connection import Unit, tortoise_config

LOCK = 0x5649_4455
"""Advisory lock 'VIDU': whoever holds it migrates, everybody else waits."""


async def migrate(url: str, target: str | None = None) -> None:
    """Migrates with the owner's `url`; `target` like `vidura.0001_initial` goes there, also backwards."""
    lock = await asyncpg.connect(url)
    try:
        await lock.execute("select pg_advisory_lock($1)", LOCK)
        async with TortoiseContext() as context:
            await run_migrations(config=tortoise_config(url, 1, "migrate"), target=target)
            await context.close_connections()
    finally:
        await lock.close()


async def set_role_password(url: str, role_url: str) -> None:
    """Gives the role named in `role_url` its password, where the owner may; a DBA's own choice stays."""
    role = urlsplit(role_url)
    connection = await asyncpg.connect(url)
    try:
        statement = await connection.fetchval(
            "select format('alter role %I password %L', $1::text, $2::text)",
            unquote(role.username or ""),
            unquote(role.password or ""),
        )
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        pass
    finally:
        await connection.close()


async def pending(unit: Unit) -> list[str]:
    """Migrations that this code has and the database has not."""
    known = {info.name for info in pkgutil.iter_modules(migrations.__path__)}
    if not await unit.value("select to_regclass('tortoise_migrations') is not null"):
        return sorted(known)
    done = await unit.rows("select name from tortoise_migrations where app = 'vidura'")
    return sorted(known - {row["name"] for row in done})
