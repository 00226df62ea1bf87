"""Tables of who uses the system: workspaces, users, their accounts and sessions."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Instant, Text, count, document, key, now, owned, workspace


class Workspace(Model):
    """What owns everything a user brings in; one is made per user at registration."""

    id = key()
    name = Text()
    created_at = now()

    class Meta:
        table = "workspaces"


class User(Model):
    """The public face of a person: nothing here is private."""

    id = key()
    workspace = workspace()
    name = Text()
    created_at = now()

    class Meta:
        table = "users"


class Account(Model):
    """The private side of a user: only its owner and ADMIN see it."""

    id = key()
    workspace = workspace()
    user = owned("User", one=True)
    email = Text(unique=True)
    password_hash = Text()
    role = Text(default="USER", db_default="USER")
    tier = Text(default="free", db_default="free")
    is_active = fields.BooleanField(default=True, db_default=True)
    token_version = count()
    created_at = now()

    class Meta:
        table = "accounts"


class Session(Model):
    """One refresh token of a family; only its hash is kept, and it is good once."""

    id = key()
    workspace = workspace()
    user = owned("User")
    family = fields.UUIDField()
    token_hash = Text(unique=True)
    created_at = now()
    expires_at = Instant()
    used_at = Instant(null=True)
    revoked_at = Instant(null=True)

    class Meta:
        table = "sessions"
        indexes = (("family",),)


class IdempotencyKey(Model):
    """The first answer to a mutation, kept so that the same key gets the same answer."""

    id = key()
    workspace = workspace()
    operation = Text()
    name = Text()
    request_hash = Text()
    answer = document(null=True)
    created_at = now()

    class Meta:
        table = "idempotency_keys"
        unique_together = (("workspace_id", "operation", "name"),)
