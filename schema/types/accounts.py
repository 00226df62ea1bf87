"""People, their accounts and sessions."""

from datetime import datetime

import strawberry

from resolvers import accounts
from resolvers.access import ANYONE
from resolvers.compile.source import Column, GlobalId, Sql
from schema.enums import Role
from schema.fields import changed_by, field, record
from schema.types.errors import UserError
from schema.types.node import Node


@record("A person, as others see them.", table="users")
class User(Node):
    """A person."""

    name: str = field(Column("name"), ANYONE, "How the person is called.")
    created_at: datetime = field(Column("created_at"), ANYONE, "When the person came.")


@record("Whoever asks, with what only they see.", table="accounts")
class Viewer:
    """One's own account."""

    id: strawberry.ID = field(GlobalId(), ANYONE, "The account's id.")
    name: str = field(Sql(accounts.NAME), ANYONE, "How one is called.")
    user: User = field(accounts.USER, ANYONE, "Oneself, as others see one.")
    email: str = field(Column("email"), ANYONE, "The address one logs in with.")
    role: Role = field(Column("role"), ANYONE, "What one may do.")


@record("Proof of a login: a short-lived access token, and a refresh token that is good once.")
class Session:
    """A session."""

    access_token: str = field(Column("access_token"), ANYONE, "Goes into `Authorization: Bearer …`.")
    expires_at: datetime = field(Column("expires_at"), ANYONE, "When the access token ends.")
    refresh_token: str = field(Column("refresh_token"), ANYONE, "For `refresh`, once.")
    refresh_expires_at: datetime = field(Column("refresh_expires_at"), ANYONE, "When the refresh token ends.")
    viewer: Viewer = field(accounts.ACCOUNT_OF_USER, ANYONE, "Whose session it is.")


@record("What registering and logging in and out answer.")
class AuthPayload:
    """A session or the reason why there is none."""

    session: Session | None = field(Column("session"), ANYONE, "The session, if one began or goes on.")
    errors: list[UserError] = field(Column("errors"), ANYONE, "Why not, if it was refused.")


@record("Reading one's own account.")
class AccountQueries:
    """Accounts at the root."""

    viewer: Viewer | None = field(accounts.VIEWER, ANYONE, "Whoever asks; null without a login.")


@record("Registering, logging in and out.")
class AccountMutations:
    """Sessions at the root."""

    register: AuthPayload = changed_by(
        accounts.register,
        ANYONE,
        "Makes an account and begins a session; outside development the answer holds no session,"
        " and mail to the address does the rest.",
        once=False,
    )
    login: AuthPayload = changed_by(
        accounts.login, ANYONE, "Begins a session with address and password.", once=False
    )
    refresh: AuthPayload = changed_by(
        accounts.refresh,
        ANYONE,
        "Goes on with a session. A refresh token is good once: a second use ends its session.",
        once=False,
    )
    logout: AuthPayload = changed_by(accounts.logout, ANYONE, "Ends a session.", once=False)
