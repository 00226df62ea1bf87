"""Rows for tests, made the way the product makes them where there is such a way."""

from uuid import UUID

from db.connection import Database, Unit, Viewer
from db.models.accounts import Account, User, Workspace
from db.models.fields import uuid7
from db.models.media import Media


async def viewer(work: Database, *, role: str = "USER", tier: str = "free", name: str = "Ada") -> Viewer:
    """A user with a workspace and an account of their own."""
    async with work.unit_of_work() as unit:
        workspace = await Workspace.create(name=name, using_db=unit.orm)
        user = await User.create(workspace_id=workspace.id, name=name, using_db=unit.orm)
        await Account.create(
            workspace_id=workspace.id,
            user_id=user.id,
            email=f"{user.id}@example.org",
            password_hash="-",
            role=role,
            tier=tier,
            using_db=unit.orm,
        )
    return Viewer(user.id, workspace.id, role)


async def media(
    work: Database, owner: Viewer, *, visibility: str = "PRIVATE", status: str = "ANALYZED"
) -> UUID:
    """A media item whose bytes have arrived."""
    key = uuid7()
    async with work.unit_of_work() as unit:
        await Media.create(
            id=key,
            workspace_id=owner.workspace_id,
            owner_id=owner.user_id,
            filename="storm.mp4",
            title="A storm",
            object_key=f"media/{key}/original.mp4",
            visibility=visibility,
            status=status,
            using_db=unit.orm,
        )
    return key


async def stage_of(unit: Unit, run_id: UUID, name: str) -> UUID:
    """The id of a run's stage."""
    found: UUID = await unit.value("select id from stages where run_id = $1 and name = $2", run_id, name)
    return found
