"""Registering, logging in and out, and keeping a session."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from db import accounts
from db.connection import Unit, Viewer
from db.errors import Conflict, Unauthenticated
from db.models.fields import uuid7
from resolvers.checks import text
from resolvers.compile.source import Of, OfViewer, One
from resolvers.context import Context
from schema.inputs.accounts import LoginInput, RegisterInput

VIEWER = One("accounts", OfViewer("t.user_id = {key}"))
ACCOUNT_OF_USER = One("accounts", Of("user_id", "t.user_id = {key}"))
USER = One("users", Of("user_id"))
OWNER = One("users", Of("owner_id"))
NAME = "select u.name from users u where u.id = t.user_id"

WRONG = "The address or the password is wrong."


async def register(
    context: Context, input: Annotated[RegisterInput, "Who wants an account."]
) -> dict[str, Any]:
    """Makes an account. In development it is good at once; else mail tells the rest, known address or not."""
    email = accounts.email_address(input.email)
    password = accounts.new_password(input.password)
    name = text(input.name, ["name"], longest=200)
    password_hash = await context.passwords.hash(password)
    viewer = Viewer(uuid7(), uuid7(), "USER")
    open_door = context.options.development
    try:
        async with context.database.unit_of_work(viewer) as unit:
            await accounts.create(
                unit, viewer, email=email, password_hash=password_hash, name=name, active=open_door
            )
            return await _begin(unit, context, viewer, 0) if open_door else {}
    except Conflict:
        if open_door:
            raise
        return {}


async def login(context: Context, input: Annotated[LoginInput, "Who wants to log in."]) -> dict[str, Any]:
    """Begins a session. An unknown address takes as long as a wrong password, and reads the same."""
    async with context.database.unit_of_work() as unit:
        account = await accounts.by_address(unit, input.email.strip().lower())
    password = input.password if len(input.password) <= accounts.LONGEST else ""
    if not await context.passwords.matches(password, account and account["password_hash"]) or account is None:
        raise Unauthenticated(WRONG)
    viewer = accounts.viewer_of(account)
    async with context.database.unit_of_work(viewer) as unit:
        return await _begin(unit, context, viewer, account["token_version"])


async def refresh(
    context: Context, refresh_token: Annotated[str, "The session's newest refresh token."]
) -> dict[str, Any]:
    """Goes on with a session: the token is spent and a new one comes with the answer."""
    expires_at = _refresh_expiry(context)
    async with context.database.unit_of_work() as unit:
        rotated = await accounts.rotate_session(unit, refresh_token, expires_at)
    if rotated is None:
        raise Unauthenticated("This session has ended. Log in again.", ["refreshToken"])
    account, token = rotated
    return _session(context, accounts.viewer_of(account), account["token_version"], token, expires_at)


async def logout(
    context: Context, refresh_token: Annotated[str, "Any refresh token of the session."]
) -> dict[str, Any]:
    """Ends a session; it is no error if it has ended before."""
    async with context.database.unit_of_work() as unit:
        await accounts.end_session(unit, refresh_token)
    return {}


async def _begin(unit: Unit, context: Context, viewer: Viewer, token_version: int) -> dict[str, Any]:
    expires_at = _refresh_expiry(context)
    token = await accounts.open_session(unit, viewer, expires_at)
    return _session(context, viewer, token_version, token, expires_at)


def _session(
    context: Context, viewer: Viewer, token_version: int, refresh_token: str, refresh_expires_at: datetime
) -> dict[str, Any]:
    access_token, expires_at = context.tokens.issue(viewer, token_version)
    # Who has just logged in sees the rest of the answer as themselves.
    context.reads.become(viewer)
    session = {
        "access_token": access_token,
        "expires_at": expires_at,
        "refresh_token": refresh_token,
        "refresh_expires_at": refresh_expires_at,
        "user_id": viewer.user_id,
    }
    return {"session": session}


def _refresh_expiry(context: Context) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=context.options.refresh_seconds)
