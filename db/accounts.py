"""Accounts: who may log in, with which password, and the sessions they keep."""

import asyncio
import hashlib
import re
import secrets
from datetime import datetime
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from tortoise.exceptions import IntegrityError

from db.connection import Row, Unit, Viewer
from db.errors import Conflict, InvalidInput
from db.models.accounts import Account, Session, User, Workspace
from db.models.fields import uuid7

LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ADDRESS = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?=.{{4,253}}\Z)({LABEL}\.)+{LABEL}")
SHORTEST, LONGEST = 8, 256

# Nobody's password: what an unknown address is checked against, so that it takes as long as a known one.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$x1iVEm/OCiR4hfs+CJuT8w$c7bK0FbNk6ti6s9v82ZWIhcJX27q0kjjp23eUGi7jyw"


class Passwords:
    """Hashes and checks passwords with argon2id, two at a time: each needs 19 MiB and a core for a moment."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turns = asyncio.Semaphore(2)

    async def hash(self, password: str) -> str:
        """The hash to keep of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one behind the kept hash; with None it takes as long and is not."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, password, kept or NOBODY) and kept is not None

    def _verify(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def email_address(text: str) -> str:
    """The address as it is kept, in lower case; InvalidInput if nothing could be sent there."""
    address = text.strip().lower()
    if not ADDRESS.fullmatch(address):
        raise InvalidInput("This is not an e-mail address.", ["email"])
    return address


def new_password(text: str) -> str:
    """The password itself; InvalidInput if it is too short or too long."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.", ["password"])
    return text


async def create(
    unit: Unit, viewer: Viewer, *, email: str, password_hash: str, name: str, active: bool = True
) -> None:
    """Makes a person with an account and a workspace, as `viewer` says; Conflict if the address is known."""
    workspace_id = viewer.workspace_id
    await Workspace.create(id=workspace_id, name=name, using_db=unit.orm)
    await User.create(id=viewer.user_id, workspace_id=workspace_id, name=name, using_db=unit.orm)
    try:
        await Account.create(
            user_id=viewer.user_id,
            email=email,
            password_hash=password_hash,
            role=viewer.role,
            is_active=active,
            workspace_id=workspace_id,
            using_db=unit.orm,
        )
    except IntegrityError:
        raise Conflict("There is an account with this address already. Log in.", ["email"]) from None


async def by_address(unit: Unit, email: str) -> Row | None:
    """The active account of an address, for logging in only: nobody is known yet."""
    return await unit.row("select * from login_account($1)", email)


async def open_session(unit: Unit, viewer: Viewer, expires_at: datetime) -> str:
    """Begins a family of refresh tokens; its first token, of which only the hash is kept."""
    token = new_token()
    await Session.create(
        workspace_id=viewer.workspace_id,
        user_id=viewer.user_id,
        family=uuid7(),
        token_hash=digest(token),
        expires_at=expires_at,
        using_db=unit.orm,
    )
    return token


async def rotate_session(unit: Unit, token: str, expires_at: datetime) -> tuple[Row, str] | None:
    """The account and the next token of a family; None for a token that is not good (any more).

    A token that comes a second time ends its family: this must be committed, so it does not raise.
    """
    successor = new_token()
    account = await unit.row(
        "select * from rotate_session($1, $2, $3)", digest(token), digest(successor), expires_at
    )
    return (account, successor) if account else None


async def end_session(unit: Unit, token: str) -> None:
    """Ends a token's family; nothing happens if there is none."""
    await unit.execute("select end_session($1)", digest(token))


def viewer_of(account: Row) -> Viewer:
    """Who an account's person is to everything else."""
    user_id: UUID = account["user_id"]
    return Viewer(user_id, account["workspace_id"], account["role"])


def new_token() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token: whoever reads the database cannot use it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
