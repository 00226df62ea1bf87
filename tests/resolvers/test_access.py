"""Who may ask for what: lists need a login, tenants never see each other's."""

from uuid import uuid4

import pytest

from db.connection import Database, Viewer
from db.errors import Forbidden, Unauthenticated
from resolvers.access import ADMIN, ANYONE, AUTHENTICATED, OWNER
from tests.support import make, rows
from tests.support.graphql import Api

LISTS = [
    "{ videos { nodes { id } } }",
    "{ library { nodes { id } } }",
    "{ models { id } }",
    "{ stages { name } }",
    "{ tags { nodes { id } } }",
    '{ tag(slug: "storm") { id } }',
]
CHANGES = [
    'mutation { analyze(input: {mediaId: "media_x"}) { errors { code } } }',
    'mutation { cancelRun(runId: "runs_x") { errors { code } } }',
    'mutation { completeUpload(input: {uploadId: "uploads_x", parts: []}) { errors { code } } }',
    'mutation { createUpload(input: {filename: "a", contentType: "b", sizeBytes: 1}) { errors { code } } }',
]


@pytest.mark.parametrize("query", [*LISTS, *CHANGES])
async def test_lists_and_changes_need_a_login(api: Api, query: str) -> None:
    assert (await api.try_(query)).codes == ["UNAUTHENTICATED"]


async def test_nobody_is_the_viewer_without_a_login(api: Api) -> None:
    assert await api("{ viewer { id } }") == {"viewer": None}


async def test_lists_hold_the_own_workspace_only(api: Api, work: Database) -> None:
    ada, bea = await make.viewer(work), await make.viewer(work)
    own = f"media_{await make.media(work, ada)}"
    for visibility in ("PRIVATE", "UNLISTED", "PUBLIC"):
        await make.media(work, bea, visibility=visibility)
    found = await api("{ videos { totalCount nodes { id } } library { totalCount nodes { id } } }", ada)
    assert found["videos"] == found["library"] == {"totalCount": 1, "nodes": [{"id": own}]}


async def test_public_media_of_others_are_listed_only_when_asked_for(api: Api, work: Database) -> None:
    ada, bea = await make.viewer(work), await make.viewer(work)
    own, public = await make.media(work, ada), await make.media(work, bea, visibility="PUBLIC")
    hidden = await make.media(work, bea, visibility="UNLISTED")

    async def listed(*wanted: str) -> set[str]:
        query = "query($v: [Visibility!]) { videos(first: 100, filter: {visibility: $v}) { nodes { id } } }"
        return {node["id"] for node in (await api(query, ada, v=list(wanted)))["videos"]["nodes"]}

    assert f"media_{public}" in await listed("PUBLIC")
    for wanted in (["PUBLIC", "PRIVATE"], ["PRIVATE"], ["UNLISTED"]):
        assert f"media_{public}" not in await listed(*wanted)
        assert f"media_{hidden}" not in await listed(*wanted)
    assert f"media_{own}" in await listed("PRIVATE")
    assert f"media_{hidden}" not in await listed("PUBLIC")


async def test_an_administrator_lists_everything(api: Api, work: Database) -> None:
    admin, ada = await make.viewer(work, role="ADMIN"), await make.viewer(work)
    media_id = await make.media(work, ada)
    assert (await api("{ videos(first: 1) { nodes { id } } }", admin))["videos"]["nodes"] == [
        {"id": f"media_{media_id}"}
    ]


async def test_runs_and_uploads_of_others_are_null(api: Api, work: Database) -> None:
    ada, bea = await make.viewer(work), await make.viewer(work)
    run_id = await rows.run(work, await make.media(work, bea, visibility="PUBLIC"))
    assert await api("query($id: ID!) { run(id: $id) { id } }", ada, id=f"runs_{run_id}") == {"run": None}
    assert await api("query($id: ID!) { run(id: $id) { id } }", bea, id=f"runs_{run_id}") == {
        "run": {"id": f"runs_{run_id}"}
    }


def test_rules_grant_hide_or_refuse() -> None:
    home, abroad = uuid4(), uuid4()
    user, admin = Viewer(uuid4(), home, "USER"), Viewer(uuid4(), home, "ADMIN")
    own, other = {"workspace_id": home}, {"workspace_id": str(abroad)}
    assert ANYONE.grants(None, other)
    assert OWNER.grants(user, own)
    assert not OWNER.grants(user, other)
    assert not OWNER.grants(None, own)
    assert OWNER.grants(admin, other)
    assert ADMIN.grants(admin, own)
    for rule, viewer, error in (
        (AUTHENTICATED, None, Unauthenticated),
        (ADMIN, None, Unauthenticated),
        (ADMIN, user, Forbidden),
    ):
        with pytest.raises(error):
            rule.grants(viewer, own)
