"""Lists of media: filters and orders; links to bytes."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from db.connection import Database, Viewer
from tests.support import make, rows
from tests.support.graphql import Api

LIST = """query($filter: VideoFilter, $order: VideoOrder!) {
  videos(first: 100, filter: $filter, order: $order) { totalCount nodes { id } } }"""
LIBRARY = "query($kinds: [MediaKind!]) { library(kinds: $kinds, order: OLDEST) { nodes { __typename id } } }"


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Somebody with media."""
    return await make.viewer(work)


async def item(work: Database, owner: Viewer, **columns: Any) -> UUID:
    """A media item with these columns."""
    media_id = await make.media(work, owner)
    await rows.change(work, "media", media_id, **columns)
    return media_id


async def listed(api: Api, viewer: Viewer, order: str = "OLDEST", **wanted: Any) -> list[UUID]:
    """The keys of a list, which counts as many."""
    page = (await api(LIST, viewer, filter=wanted or None, order=order))["videos"]
    assert page["totalCount"] == len(page["nodes"])
    return [UUID(node["id"].removeprefix("media_")) for node in page["nodes"]]


async def test_by_status(api: Api, work: Database, ada: Viewer) -> None:
    done, failed = await item(work, ada), await item(work, ada, status="FAILED")
    await item(work, ada, status="QUEUED")
    assert await listed(api, ada, status=["FAILED"]) == [failed]
    assert await listed(api, ada, status=["FAILED", "ANALYZED"]) == [done, failed]
    assert await listed(api, ada, status=[]) == []


async def test_by_all_of_several_tags(api: Api, work: Database, ada: Viewer) -> None:
    both, one = await item(work, ada), await item(work, ada)
    await rows.tag(work, both, "storm", "high-sea")
    await rows.tag(work, one, "storm")
    assert await listed(api, ada, tags=["Storm"]) == [both, one]
    assert await listed(api, ada, tags=["storm", "High sea"]) == [both]
    assert await listed(api, ada, tags=["storm", "calm"]) == []


async def test_by_distance(api: Api, work: Database, ada: Viewer) -> None:
    mumbai = await item(work, ada, latitude=19.0760, longitude=72.8777)
    pune = await item(work, ada, latitude=18.5204, longitude=73.8567)
    across = await item(work, ada, latitude=0.0, longitude=-179.99)
    await item(work, ada)
    # Mumbai and Pune are 120 km apart.
    here = {"latitude": 19.0760, "longitude": 72.8777}
    assert await listed(api, ada, near={**here, "radiusKm": 119}) == [mumbai]
    assert await listed(api, ada, near={**here, "radiusKm": 121}) == [mumbai, pune]
    assert await listed(api, ada, near={"latitude": 0, "longitude": 179.99, "radiusKm": 3}) == [across]
    assert await listed(api, ada, near={**here, "radiusKm": 20040}) == [mumbai, pune, across]


async def test_by_time(api: Api, work: Database, ada: Viewer) -> None:
    noon = await item(work, ada, recorded_at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    one = await item(work, ada, recorded_at=datetime(2026, 11, 20, 13, tzinfo=UTC))
    await item(work, ada)
    assert await listed(api, ada, recorded={"from": "2026-11-20T12:00:00Z"}) == [noon, one]
    assert await listed(api, ada, recorded={"to": "2026-11-20T13:00:00Z"}) == [noon]
    assert await listed(api, ada, created={"to": "2020-01-01T00:00:00Z"}) == []


async def test_by_owner(api: Api, work: Database, ada: Viewer) -> None:
    own, bea = await item(work, ada), await make.viewer(work)
    assert await listed(api, ada, ownerId=f"users_{ada.user_id}") == [own]
    assert await listed(api, ada, ownerId=f"users_{bea.user_id}") == []


async def test_by_text_taken_literally(api: Api, work: Database, ada: Viewer) -> None:
    title = await item(work, ada, title="100% Storm_warning")
    told = await item(work, ada, ai_description="A storm is seen.")
    heard = await item(work, ada, title="calm")
    await rows.captions(work, await rows.run(work, heard), "the STORM is coming")
    other = await item(work, ada, title="calm")
    assert await listed(api, ada, text="sToRm") == [title, told, heard, other]  # the file's name is storm.mp4
    assert await listed(api, ada, text="storm is") == [told, heard]
    assert await listed(api, ada, text="100%") == [title]
    assert await listed(api, ada, text="m_w") == [title]
    assert await listed(api, ada, text="_") == [title]
    assert await listed(api, ada, text="\\") == []


async def test_by_language(api: Api, work: Database, ada: Viewer) -> None:
    french = await item(work, ada)
    await rows.captions(work, await rows.run(work, french), "bonjour", language="fr")
    await item(work, ada)
    assert await listed(api, ada, language="FR") == [french]
    assert await listed(api, ada, language="en") == []


async def test_everything_given_must_hold(api: Api, work: Database, ada: Viewer) -> None:
    await item(work, ada, title="wind")
    await item(work, ada, title="rain", status="FAILED")
    both = await item(work, ada, title="wind", status="FAILED")
    assert await listed(api, ada, text="wind", status=["FAILED"], visibility=["PRIVATE"]) == [both]


@pytest.mark.parametrize(
    "wanted",
    [
        {"near": {"latitude": 91, "longitude": 0, "radiusKm": 1}},
        {"near": {"latitude": 0, "longitude": 181, "radiusKm": 1}},
        {"near": {"latitude": 0, "longitude": 0, "radiusKm": 0}},
        {"near": {"latitude": 0, "longitude": 0, "radiusKm": -1}},
        {"near": {"latitude": 0, "longitude": 0, "radiusKm": 1e9}},
        {"recorded": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}},
        {"ownerId": "nobody"},
        {"text": ""},
        {"text": "x" * 201},
        {"text": "a\0b"},
        {"tags": ["x"] * 21},
        {"language": "\ud800"},
    ],
)
async def test_filters_that_make_no_sense_are_refused(api: Api, ada: Viewer, wanted: dict[str, Any]) -> None:
    answer = await api.try_(LIST, ada, filter=wanted, order="NEWEST")
    assert answer.codes == ["INVALID_INPUT"]


async def test_orders(api: Api, work: Database, ada: Viewer) -> None:
    a = await item(work, ada, recorded_at=datetime(2026, 1, 3, tzinfo=UTC))
    b = await item(work, ada)
    c = await item(work, ada, recorded_at=datetime(2026, 1, 4, tzinfo=UTC))
    await rows.metadata(work, a, duration_seconds=5.0)
    await rows.metadata(work, b, duration_seconds=50.0)
    assert await listed(api, ada, "NEWEST") == [c, b, a]
    assert await listed(api, ada, "OLDEST") == [a, b, c]
    assert await listed(api, ada, "RECORDED") == [c, a, b]
    assert await listed(api, ada, "LONGEST") == [b, a, c]


async def test_the_library_holds_all_kinds(api: Api, work: Database, ada: Viewer) -> None:
    video = await item(work, ada)
    image = await item(work, ada, kind="IMAGE")
    sound = await item(work, ada, kind="AUDIO")
    everything = [
        {"__typename": kind, "id": f"media_{key}"}
        for kind, key in (("Video", video), ("Image", image), ("Audio", sound))
    ]
    assert (await api(LIBRARY, ada))["library"]["nodes"] == everything
    assert (await api(LIBRARY, ada, kinds=["AUDIO", "IMAGE"]))["library"]["nodes"] == everything[1:]
    assert await listed(api, ada) == [video]


async def test_pictures_and_playback_are_links_once_there_is_something(
    api: Api, work: Database, ada: Viewer
) -> None:
    media_id = await item(work, ada, thumbnail_key="runs/1/thumbnail.jpg")
    query = "query($id: ID!) { video(id: $id) { thumbnailUrl location { latitude } playback { fileUrl } } }"
    video = (await api(query, ada, id=f"media_{media_id}"))["video"]
    assert video["thumbnailUrl"].startswith("http://vidura.test/media/runs/1/thumbnail.jpg?")
    assert (video["playback"], video["location"]) == (None, None)
    await rows.run(work, media_id)
    await rows.change(work, "media", media_id, latitude=1.5, longitude=2.0)
    video = (await api(query, ada, id=f"media_{media_id}"))["video"]
    assert video["playback"]["fileUrl"].startswith(f"http://vidura.test/media/media/{media_id}/original.mp4?")
    assert video["location"] == {"latitude": 1.5}
