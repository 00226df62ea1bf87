"""Accounts: addresses, passwords and sessions, with the eyes of the web."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from db import accounts
from db.accounts import Passwords
from db.connection import Database, Viewer
from db.errors import Conflict, InvalidInput
from db.models.fields import uuid7

SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ("  ada+storm@mail.example.co.in ", "ada+storm@mail.example.co.in"),
        ("o'hara_1@xn--bcher-kva.example", "o'hara_1@xn--bcher-kva.example"),
    ],
)
def test_addresses_are_kept_in_lower_case(given: str, kept: str) -> None:
    assert accounts.email_address(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "a da@example.org",
        "ada@example..org",
        "ada@-a.org",
        "ada@a_b.org",
        "ada@@example.org",
        "adä@example.org",
        "ada@example.org\n.com",
        f"ada@{'a.' * 130}org",
    ],
)
def test_what_mail_cannot_be_sent_to_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        accounts.email_address(given)


async def test_a_password_matches_its_own_hash_only() -> None:
    passwords = Passwords()
    kept = await passwords.hash("correct horse")
    assert kept != await passwords.hash("correct horse")
    assert await passwords.matches("correct horse", kept)
    assert not await passwords.matches("wrong", kept)
    assert not await passwords.matches("correct horse", None)
    assert not await passwords.matches("correct horse", "-")


class Counting(PasswordHasher):
    """Knows how many hashes were made at the same time."""

    running = most = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """The same hash."""
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return super().hash(password, salt=salt)
        finally:
            self.running -= 1


async def test_no_more_than_two_passwords_are_hashed_at_a_time() -> None:
    passwords = Passwords()
    passwords._hasher = hasher = Counting()
    await asyncio.gather(*(passwords.hash("correct horse") for _ in range(6)))
    assert hasher.most == 2


async def created(app: Database, email: str, *, active: bool = True) -> Viewer:
    """An account as registration makes it: nobody is logged in."""
    viewer = Viewer(uuid7(), uuid7(), "USER")
    async with app.unit_of_work(viewer) as unit:
        await accounts.create(unit, viewer, email=email, password_hash="-", name="Ada", active=active)
    return viewer


async def test_an_account_is_found_by_its_address_before_anybody_is_known(app: Database) -> None:
    email = f"{uuid7()}@example.org"
    viewer = await created(app, email)
    async with app.unit_of_work() as unit:
        account = await accounts.by_address(unit, email)
        assert account is not None
        assert accounts.viewer_of(account) == viewer
        assert await accounts.by_address(unit, "nobody@example.org") is None


async def test_a_known_address_is_a_conflict_and_leaves_nothing(app: Database, work: Database) -> None:
    email = f"{uuid7()}@example.org"
    await created(app, email)
    second = Viewer(uuid7(), uuid7(), "USER")
    with pytest.raises(Conflict):
        async with app.unit_of_work(second) as unit:
            await accounts.create(unit, second, email=email, password_hash="-", name="Eve")
    async with work.unit_of_work() as unit:
        assert await unit.value("select count(*) from workspaces where id = $1", second.workspace_id) == 0


async def test_nobody_makes_an_account_in_a_workspace_of_others(app: Database) -> None:
    ada, eve = await created(app, f"{uuid7()}@example.org"), Viewer(uuid7(), uuid7(), "USER")
    with pytest.raises(Exception, match="row-level security"):
        async with app.unit_of_work(eve) as unit:
            await accounts.create(unit, ada, email=f"{uuid7()}@example.org", password_hash="-", name="Eve")


async def test_a_session_goes_on_from_token_to_token_until_one_is_used_twice(app: Database) -> None:
    viewer = await created(app, f"{uuid7()}@example.org")
    async with app.unit_of_work(viewer) as unit:
        tokens = [await accounts.open_session(unit, viewer, SOON)]
    for _ in range(2):
        async with app.unit_of_work() as unit:
            rotated = await accounts.rotate_session(unit, tokens[-1], SOON)
        assert rotated is not None
        assert accounts.viewer_of(rotated[0]) == viewer
        tokens.append(rotated[1])
    for token in (tokens[0], tokens[-1]):
        async with app.unit_of_work() as unit:
            assert await accounts.rotate_session(unit, token, SOON) is None


async def test_an_ended_session_is_over_and_others_go_on(app: Database) -> None:
    viewer = await created(app, f"{uuid7()}@example.org")
    async with app.unit_of_work(viewer) as unit:
        one, other = [await accounts.open_session(unit, viewer, SOON) for _ in range(2)]
    async with app.unit_of_work() as unit:
        await accounts.end_session(unit, one)
    async with app.unit_of_work() as unit:
        assert await accounts.rotate_session(unit, one, SOON) is None
        assert await accounts.rotate_session(unit, other, SOON) is not None
