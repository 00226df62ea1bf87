"""Anything by its id, and what a stranger gets."""

from uuid import uuid4

import pytest

from db.connection import Database, Viewer
from db.models.fields import uuid7
from tests.support import make, rows
from tests.support.graphql import Api

NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
BY_ID = """
query($id: ID!) {
  node(id: $id) { id } media(id: $id) { id } video(id: $id) {
    id title owner { name } tags { tag { name } } metadata { format probe } captions { nodes { text } }
    latestRun { id } runs { totalCount nodes { id } }
  }
}
"""


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Somebody with media."""
    return await make.viewer(work)


async def shared(work: Database, owner: Viewer, visibility: str) -> str:
    """The global id of an item that has captions, tags, metadata and a run."""
    media_id = await make.media(work, owner, visibility=visibility)
    await rows.captions(work, await rows.run(work, media_id), "hello")
    await rows.tag(work, media_id, "storm")
    await rows.metadata(work, media_id, probe={"device": "phone"})
    return f"media_{media_id}"


async def test_every_kind_of_node_is_found_by_its_id(api: Api, work: Database, ada: Viewer) -> None:
    media_id = await make.media(work, ada)
    run_id = await rows.run(work, media_id)
    stage_id = await rows.stage(work, run_id, "probe")
    await rows.captions(work, run_id, "hello")
    await rows.tag(work, media_id, "storm")
    (caption,) = await rows.fetch(work, "select id from captions where run_id = $1", run_id)
    (tag,) = await rows.fetch(work, "select id from tags where slug = 'storm'")
    for table, key, kind in (
        ("media", media_id, "Video"),
        ("runs", run_id, "Run"),
        ("stages", stage_id, "Stage"),
        ("captions", caption["id"], "Caption"),
        ("tags", tag["id"], "Tag"),
        ("users", ada.user_id, "User"),
    ):
        wanted = {"__typename": kind, "id": f"{table}_{key}"}
        assert await api(NODE, ada, id=f"{table}_{key}") == {"node": wanted}


@pytest.mark.parametrize("kind", ["IMAGE", "AUDIO"])
async def test_an_item_shows_itself_as_what_it_is(api: Api, work: Database, ada: Viewer, kind: str) -> None:
    media_id = await make.media(work, ada)
    await rows.change(work, "media", media_id, kind=kind)
    found = await api(
        "query($id: ID!) { media(id: $id) { __typename } video(id: $id) { id } }", ada, id=f"media_{media_id}"
    )
    assert found == {"media": {"__typename": kind.title()}, "video": None}


async def test_several_come_in_the_order_asked_for_with_gaps(api: Api, work: Database, ada: Viewer) -> None:
    ids = [f"media_{await make.media(work, ada)}" for _ in range(3)]
    wanted = [ids[2], "nonsense", ids[0], f"media_{uuid4()}", ids[0]]
    answer = await api.try_("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ada, ids=wanted)
    assert [node and node["id"] for node in answer.data["nodes"]] == [ids[2], None, ids[0], None, ids[0]]
    assert len([sql for sql in answer.statements if " join media " in sql]) == 1


async def test_too_many_at_once_are_refused(api: Api, ada: Viewer) -> None:
    answer = await api.try_("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ada, ids=["x"] * 101)
    assert answer.codes == ["INVALID_INPUT"]


@pytest.mark.parametrize(
    "wanted",
    ["", "media_", "media", "media_1", "accounts_x", f"media_{uuid4().hex}", f"workspaces_{uuid4()}", "\0"],
)
async def test_what_never_was_an_id_is_null(api: Api, ada: Viewer, wanted: str) -> None:
    answer = await api.try_(NODE, ada, id=wanted)
    assert answer.data == {"node": None}
    assert answer.codes in ([], ["INVALID_INPUT"])


@pytest.mark.parametrize("visibility", ["UNLISTED", "PUBLIC"])
async def test_anybody_reads_a_shared_item_by_its_id(
    api: Api, work: Database, ada: Viewer, visibility: str
) -> None:
    wanted = await shared(work, ada, visibility)
    for viewer in (None, await make.viewer(work)):
        assert (await api(NODE, viewer, id=wanted))["node"] == {"__typename": "Video", "id": wanted}
        found = await api(BY_ID, viewer, id=wanted)
        assert found["node"] == found["media"] == {"id": wanted}
        video = found["video"]
        assert video["owner"] == {"name": "Ada"}
        assert video["captions"]["nodes"] == [{"text": "hello"}]
        assert video["tags"] == [{"tag": {"name": "storm"}}]
        # What the file says is shown, but neither its raw device data nor who analysed it and how.
        assert video["metadata"] == {"format": "mp4", "probe": None}
        assert video["latestRun"] is None
        assert video["runs"] == {"totalCount": 0, "nodes": []}


async def test_a_private_item_is_null_for_strangers_exactly_like_a_missing_one(
    api: Api, work: Database, ada: Viewer
) -> None:
    private, missing = await shared(work, ada, "PRIVATE"), f"media_{uuid7()}"
    for viewer in (None, await make.viewer(work)):
        found = await api(BY_ID, viewer, id=private)
        assert found == await api(BY_ID, viewer, id=missing) == {"node": None, "media": None, "video": None}


async def test_an_administrator_reads_everything(api: Api, work: Database, ada: Viewer) -> None:
    admin = await make.viewer(work, role="ADMIN")
    found = await api(BY_ID, admin, id=await shared(work, ada, "PRIVATE"))
    assert found["video"]["metadata"]["probe"] == {"device": "phone"}
    assert found["video"]["runs"]["totalCount"] == 1


async def test_naming_an_unlisted_item_does_not_show_the_others(
    api: Api, work: Database, ada: Viewer
) -> None:
    named, other = await shared(work, ada, "UNLISTED"), await shared(work, ada, "UNLISTED")
    query = "query($a: ID!) { media(id: $a) { owner { id } tags { tag { media { nodes { id } } } } } }"
    found = await api(query, await make.viewer(work), a=named)
    ids = [node["id"] for tag in found["media"]["tags"] for node in tag["tag"]["media"]["nodes"]]
    assert other not in ids
