"""Registering, logging in and out, refreshing: through the schema, as nobody."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from db.connection import Database
from db.embedded import Urls
from db.models.fields import uuid7
from tests.support import rows
from tests.support.graphql import Api

SESSION = """
  session { accessToken expiresAt refreshToken refreshExpiresAt viewer { id name email role user { name } } }
  errors { code message path }
"""
REGISTER = f"mutation($input: RegisterInput!) {{ register(input: $input) {{ {SESSION} }} }}"
LOGIN = f"mutation($input: LoginInput!) {{ login(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation($token: String!) {{ refresh(refreshToken: $token) {{ {SESSION} }} }}"
LOGOUT = (
    "mutation($token: String!) { logout(refreshToken: $token) { session { expiresAt } errors { code } } }"
)
PASSWORD = "correct horse"


def address() -> str:
    return f"{uuid7()}@example.org"


async def registered(api: Api, email: str = "", **other: str) -> dict[str, Any]:
    """The payload of a registration."""
    given = {"email": email or address(), "password": PASSWORD, "name": "Ada", **other}
    payload: dict[str, Any] = (await api(REGISTER, input=given))["register"]
    return payload


async def test_registering_begins_a_session_in_a_workspace_of_ones_own(api: Api, work: Database) -> None:
    email = address()
    payload = await registered(api, email.upper())
    assert payload["errors"] == []
    viewer = payload["session"]["viewer"]
    assert (viewer["name"], viewer["email"], viewer["role"]) == ("Ada", email, "USER")
    assert viewer["user"]["name"] == "Ada"
    claims = api.tokens.verify(payload["session"]["accessToken"])
    (account,) = await rows.fetch(work, "select * from accounts where email = $1", email)
    assert (claims.viewer.user_id, claims.viewer.workspace_id) == (
        account["user_id"],
        account["workspace_id"],
    )
    assert (await api("{ viewer { id } }", claims.viewer))["viewer"]["id"] == viewer["id"]


async def test_neither_password_nor_refresh_token_is_kept_in_clear(api: Api, work: Database) -> None:
    email = address()
    token = (await registered(api, email))["session"]["refreshToken"]
    (account,) = await rows.fetch(work, "select * from accounts where email = $1", email)
    assert account["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in account["password_hash"]
    kept = await rows.fetch(work, "select token_hash from sessions where user_id = $1", account["user_id"])
    assert [len(row["token_hash"]) for row in kept] == [64]
    assert token not in str(kept)


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": f"{'a' * 65}@example.org"}, "email"),
        ({"email": "a@exa\nmple.org"}, "email"),
        ({"email": "a@example.org\0"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
    ],
)
async def test_what_breaks_a_rule_is_named(api: Api, wrong: dict[str, str], about: str) -> None:
    payload = await registered(api, **{"email": address(), **wrong})
    assert payload["session"] is None
    assert [(e["code"], e["path"]) for e in payload["errors"]] == [("INVALID_INPUT", ["input", about])]


async def test_in_development_a_known_address_is_a_conflict(api: Api) -> None:
    email = address()
    await registered(api, email)
    payload = await registered(api, f" {email.title()} ")
    assert payload["session"] is None
    assert [(e["code"], e["path"]) for e in payload["errors"]] == [("CONFLICT", ["input", "email"])]


async def test_the_same_address_registered_at_once_makes_one_account(api: Api, work: Database) -> None:
    email = address()
    payloads = await asyncio.gather(*(registered(api, email) for _ in range(3)))
    assert sorted(len(payload["errors"]) for payload in payloads) == [0, 1, 1]
    assert len(await rows.fetch(work, "select from accounts where email = $1", email)) == 1


async def test_in_production_nobody_learns_whether_an_address_is_known(
    app: Database, services: Urls, tmp_path: Path
) -> None:
    production = Api(app, tmp_path, services.redis, development=False)
    email = address()
    first, second = await registered(production, email), await registered(production, email)
    assert first == second == {"session": None, "errors": []}
    payload = (await production(LOGIN, input={"email": email, "password": PASSWORD}))["login"]
    assert [error["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]


async def test_logging_in_begins_a_session(api: Api) -> None:
    email = address()
    await registered(api, email)
    payload = (await api(LOGIN, input={"email": f" {email.upper()}", "password": PASSWORD}))["login"]
    assert payload["errors"] == []
    assert payload["session"]["viewer"]["email"] == email


async def test_wrong_password_and_unknown_address_read_the_same(api: Api) -> None:
    email = address()
    await registered(api, email)
    wrong = [
        {"email": email, "password": "wrong password"},
        {"email": email, "password": "x" * 10_000},
        {"email": address(), "password": PASSWORD},
        {"email": "no address", "password": PASSWORD},
    ]
    payloads = [(await api(LOGIN, input=each))["login"] for each in wrong]
    assert payloads[0]["errors"][0]["code"] == "UNAUTHENTICATED"
    assert all(payload == payloads[0] for payload in payloads)


async def test_an_unknown_address_costs_as_much_work_as_a_wrong_password(api: Api) -> None:
    # Processor time of this process: other load on the machine says nothing about us.
    email = address()
    await registered(api, email)

    async def work(given: str) -> float:
        start = time.process_time()
        await api(LOGIN, input={"email": given, "password": "wrong password"})
        return time.process_time() - start

    known = median([await work(email) for _ in range(5)])
    unknown = median([await work(address()) for _ in range(5)])
    assert unknown > known / 2


async def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_family(api: Api) -> None:
    first = (await registered(api))["session"]["refreshToken"]
    payload = (await api(REFRESH, token=first))["refresh"]
    second = payload["session"]["refreshToken"]
    assert payload["session"]["viewer"]["name"] == "Ada"
    assert second != first
    assert (await api(REFRESH, token=first))["refresh"]["errors"][0]["code"] == "UNAUTHENTICATED"
    assert (await api(REFRESH, token=second))["refresh"]["errors"][0]["code"] == "UNAUTHENTICATED"


async def test_two_refreshes_at_once_are_not_both_answered(api: Api) -> None:
    token = (await registered(api))["session"]["refreshToken"]
    answers = await asyncio.gather(*(api(REFRESH, token=token) for _ in range(2)))
    assert sorted(answer["refresh"]["session"] is not None for answer in answers) == [False, True]


async def test_an_expired_refresh_token_is_refused(app: Database, services: Urls, tmp_path: Path) -> None:
    hasty = Api(app, tmp_path, services.redis, refresh_seconds=-1)
    token = (await registered(hasty))["session"]["refreshToken"]
    assert (await hasty(REFRESH, token=token))["refresh"]["errors"][0]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800", "x" * 5000])
async def test_what_is_no_refresh_token_is_refused(api: Api, token: str) -> None:
    payload = (await api(REFRESH, token=token))["refresh"]
    assert payload["session"] is None
    assert payload["errors"][0]["code"] in ("UNAUTHENTICATED", "INVALID_INPUT")


async def test_logging_out_ends_the_session(api: Api) -> None:
    token = (await registered(api))["session"]["refreshToken"]
    for _ in range(2):
        assert await api(LOGOUT, token=token) == {"logout": {"session": None, "errors": []}}
    assert (await api(REFRESH, token=token))["refresh"]["errors"][0]["code"] == "UNAUTHENTICATED"


async def test_a_closed_account_cannot_log_in(api: Api, work: Database) -> None:
    email = address()
    await registered(api, email)
    (account,) = await rows.fetch(work, "select id from accounts where email = $1", email)
    await rows.change(work, "accounts", account["id"], is_active=False)
    payload = (await api(LOGIN, input={"email": email, "password": PASSWORD}))["login"]
    assert payload["errors"][0]["code"] == "UNAUTHENTICATED"
