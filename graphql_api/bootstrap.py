"""What must be true before any process starts: a migrated database, roles with passwords, an admin."""

import json
import secrets
from typing import TYPE_CHECKING

from db import accounts
from db.connection import Database, Unit, Viewer, patiently
from db.keyfile import secret_file
from db.migrate import migrate, set_role_password
from db.models.fields import uuid7

if TYPE_CHECKING:
    from settings import Settings

ADMIN = "admin@vidura.local"


async def prepare(settings: "Settings") -> None:
    """Migrates, and on the first start makes the admin whose login `admin.json` holds; may be repeated."""
    await patiently(lambda: migrate(settings.database.url), 60)
    for role in (settings.database.app, settings.database.work):
        await set_role_password(settings.database.url, role)
    database = await Database.open(settings.database.work, size=1, name="prepare")
    try:
        async with database.unit_of_work() as unit:
            await _ensure_admin(unit, settings)
    finally:
        await database.close()


async def _ensure_admin(unit: Unit, settings: "Settings") -> None:
    if await unit.value("select exists (select from accounts where role = 'ADMIN')"):
        return
    # The file comes first: an admin whose password nobody knows would be worse than a file without one.
    login = json.loads(secret_file(settings.home / "admin.json", _new_login))
    await accounts.create(
        unit,
        Viewer(uuid7(), uuid7(), "ADMIN"),
        email=login["email"],
        password_hash=await accounts.Passwords().hash(login["password"]),
        name="Admin",
    )


def _new_login() -> bytes:
    return json.dumps({"email": ADMIN, "password": secrets.token_urlsafe(18)}).encode()
