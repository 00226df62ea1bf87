"""Migrations on the real server: forward, backward, and what they promise about roles and rows."""

import asyncio

import asyncpg

from db.connection import Database
from db.migrate import migrate, pending

TABLES = "select count(*) from pg_tables where schemaname = 'public' and tablename <> 'tortoise_migrations'"


async def test_they_go_forward_backward_and_forward_again(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    await migrate(empty_database)
    tables = await connection.fetchval(TABLES)
    await migrate(empty_database, "vidura.0001_initial")
    assert await connection.fetchval("select count(*) from pg_policies where schemaname = 'public'") == 0
    assert await connection.fetchval(TABLES) == tables > 15
    await migrate(empty_database)
    assert await connection.fetchval("select count(*) from pg_policies where schemaname = 'public'") > 50
    await connection.close()


async def test_a_database_says_which_migrations_it_lacks(empty_database: str) -> None:
    database = await Database.open(empty_database)
    async with database.unit_of_work() as unit:
        assert await pending(unit) == ["0001_initial", "0002_row_level_security"]
    await migrate(empty_database, "vidura.0001_initial")
    async with database.unit_of_work() as unit:
        assert await pending(unit) == ["0002_row_level_security"]
    await database.close()


async def test_two_processes_that_migrate_at_once_take_turns(empty_database: str) -> None:
    await asyncio.gather(migrate(empty_database), migrate(empty_database))
    connection = await asyncpg.connect(empty_database)
    assert await connection.fetchval("select count(*) from tortoise_migrations where app = 'vidura'") == 2
    await connection.close()


async def test_no_role_of_ours_may_bypass_row_level_security(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    roles = await connection.fetch(
        "select rolname, rolsuper, rolbypassrls from pg_roles where rolname like 'vidura%' order by 1"
    )
    assert [tuple(role) for role in roles] == [
        ("vidura_app", False, False),
        ("vidura_owner", False, False),
        ("vidura_work", False, False),
    ]
    unprotected = await connection.fetch(
        """
        select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        and not (relrowsecurity and relforcerowsecurity) and relname <> 'tortoise_migrations'
        """
    )
    assert unprotected == []
    await connection.close()


async def test_times_are_kept_to_the_millisecond(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    finer = await connection.fetch(
        """
        select table_name, column_name from information_schema.columns where table_schema = 'public'
        and data_type = 'timestamp with time zone' and datetime_precision <> 3
        and table_name <> 'tortoise_migrations'
        """
    )
    assert finer == []
    await connection.close()
