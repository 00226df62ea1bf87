"""Units of work, and what row-level security shows to whom."""

import asyncpg
import pytest

from db.connection import Database
from tests.support import make


async def test_a_statement_without_where_returns_only_what_the_viewer_may_see(
    app: Database, work: Database
) -> None:
    ada, bob = await make.viewer(work), await make.viewer(work)
    own = await make.media(work, ada)
    others = {
        name: await make.media(work, bob, visibility=name) for name in ("PRIVATE", "UNLISTED", "PUBLIC")
    }
    async with app.unit_of_work(ada) as unit:
        seen = {row["id"] for row in await unit.rows("select id from media")}
    assert own in seen
    assert others["PUBLIC"] in seen
    assert not {others["PRIVATE"], others["UNLISTED"]} & seen


async def test_an_unlisted_item_shows_itself_to_who_names_its_id(app: Database, work: Database) -> None:
    bob = await make.viewer(work)
    unlisted = await make.media(work, bob, visibility="UNLISTED")
    private = await make.media(work, bob)
    async with app.unit_of_work(None, [unlisted, private]) as unit:
        seen = {row["id"] for row in await unit.rows("select id from media")}
    assert unlisted in seen
    assert private not in seen


async def test_an_admin_sees_everything_and_a_moderator_does_not(app: Database, work: Database) -> None:
    private = await make.media(work, await make.viewer(work))
    for role, sees in (("ADMIN", True), ("MODERATOR", False), ("USER", False)):
        async with app.unit_of_work(await make.viewer(work, role=role)) as unit:
            assert bool(await unit.row("select id from media where id = $1", private)) is sees


async def test_a_forged_write_into_another_workspace_is_refused(app: Database, work: Database) -> None:
    ada, bob = await make.viewer(work), await make.viewer(work)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app.unit_of_work(ada) as unit:
            await unit.execute(
                "insert into media (workspace_id, owner_id, filename, object_key) values ($1, $2, 'x', 'x')",
                bob.workspace_id,
                bob.user_id,
            )


async def test_nothing_of_a_viewer_stays_on_the_connection(owner_url: str, work: Database) -> None:
    from settings import as_role

    ada = await make.viewer(work)
    private = await make.media(work, ada)
    single = await Database.open(as_role(owner_url, "vidura_app"), size=1)
    async with single.unit_of_work(ada) as unit:
        assert await unit.row("select id from media where id = $1", private)
    async with single.unit_of_work() as unit:
        assert await unit.row("select id from media where id = $1", private) is None
    await single.close()


async def test_private_sides_of_others_accounts_stay_private(app: Database, work: Database) -> None:
    ada, bob = await make.viewer(work), await make.viewer(work)
    async with app.unit_of_work(ada) as unit:
        assert [row["user_id"] for row in await unit.rows("select user_id from accounts")] == [ada.user_id]
        assert bob.user_id not in {row["id"] for row in await unit.rows("select id from users")}


async def test_a_unit_that_fails_leaves_nothing(work: Database) -> None:
    ada = await make.viewer(work)
    with pytest.raises(ZeroDivisionError):
        async with work.unit_of_work() as unit:
            await unit.execute("update users set name = 'Eve' where id = $1", ada.user_id)
            raise ZeroDivisionError
    async with work.unit_of_work() as unit:
        assert await unit.value("select name from users where id = $1", ada.user_id) == "Ada"
