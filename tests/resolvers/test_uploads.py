"""Uploading: plan, parts, completion, and everything that may be wrong with them."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from db.connection import Database, Viewer
from db.embedded import Urls
from db.errors import Expired, Forbidden, InvalidInput, TooLarge, ViduraError
from tests.support import make, rows
from tests.support.graphql import Api

UPLOAD = """
  id status partCount partSizeBytes expiresAt reason
  media { __typename id title description status visibility location { latitude longitude } recordedAt }
  parts { number method url headers { name value } offsetBytes sizeBytes received etag }
"""
CREATE = f"""mutation($input: CreateUploadInput!) {{
  createUpload(input: $input) {{ upload {{ {UPLOAD} }} errors {{ code message path }} }} }}"""
COMPLETE = """mutation($input: CompleteUploadInput!) {
  completeUpload(input: $input) {
    media { id status latestRun { id } } run { id number status stages { name status } }
    errors { code message path } } }"""
READ = f"query($id: ID!) {{ upload(id: $id) {{ {UPLOAD} }} }}"
PARTS = """query($id: ID!, $first: Int!, $after: Int!, $missing: Boolean!) {
  upload(id: $id) {
    parts(first: $first, afterNumber: $after, missingOnly: $missing) { number received } } }"""

MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 40
FILE = {"filename": "storm.mp4", "contentType": "video/mp4", "sizeBytes": len(MP4)}


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Whoever uploads."""
    return await make.viewer(work)


async def created(api: Api, viewer: Viewer, **given: Any) -> dict[str, Any]:
    """The upload that is made."""
    payload = (await api(CREATE, viewer, input={**FILE, **given}))["createUpload"]
    assert payload["errors"] == []
    upload: dict[str, Any] = payload["upload"]
    return upload


async def refused(api: Api, viewer: Viewer, **given: Any) -> list[tuple[str, list[str]]]:
    """Codes and paths of the errors instead of an upload."""
    payload = (await api(CREATE, viewer, input={**FILE, **given}))["createUpload"]
    assert payload["upload"] is None
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def sent(api: Api, upload: dict[str, Any], data: bytes) -> list[dict[str, Any]]:
    """All parts sent; as completion wants to hear of them."""
    known = []
    for part in upload["parts"]:
        stretch = data[part["offsetBytes"] : part["offsetBytes"] + part["sizeBytes"]]
        known.append({"number": part["number"], "etag": await api.send(part, stretch)})
    return known


async def completed(api: Api, viewer: Viewer, upload: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    """The payload of completion."""
    given = {"uploadId": upload["id"], "parts": parts}
    payload: dict[str, Any] = (await api(COMPLETE, viewer, input=given))["completeUpload"]
    return payload


def codes(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_an_upload_is_an_item_and_a_plan_of_parts(
    app: Database, services: Urls, tmp_path: Path, ada: Viewer
) -> None:
    api = Api(app, tmp_path, services.redis, part_bytes=30)
    upload = await created(
        api,
        ada,
        title=" A storm ",
        description="Rain.",
        location={"latitude": 19.07, "longitude": 72.88},
        recordedAt="2026-11-20T18:57:30.120Z",
        visibility="UNLISTED",
    )
    assert upload["status"] == "WAITING"
    assert (upload["partCount"], upload["partSizeBytes"], upload["reason"]) == (2, 30, None)
    assert [(p["number"], p["offsetBytes"], p["sizeBytes"]) for p in upload["parts"]] == [
        (1, 0, 30),
        (2, 30, 22),
    ]
    assert all(
        (p["method"], p["received"], p["etag"], p["headers"]) == ("PUT", False, None, [])
        for p in upload["parts"]
    )
    media = upload["media"]
    assert media.pop("id").startswith("media_")
    assert media == {
        "__typename": "Video",
        "title": "A storm",
        "description": "Rain.",
        "status": "UPLOADING",
        "visibility": "UNLISTED",
        "location": {"latitude": 19.07, "longitude": 72.88},
        "recordedAt": "2026-11-20T18:57:30.120Z",
    }


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [("image/png", "Image"), ("audio/ogg; codecs=opus", "Audio"), ("VIDEO/MP4", "Video")],
)
async def test_the_item_is_what_the_file_is_announced_to_be(
    api: Api, ada: Viewer, content_type: str, kind: str
) -> None:
    assert (await created(api, ada, contentType=content_type))["media"]["__typename"] == kind


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"sizeBytes": 0}, "INVALID_INPUT", ["sizeBytes"]),
        ({"sizeBytes": -5}, "INVALID_INPUT", ["sizeBytes"]),
        ({"sizeBytes": 10 * 1024**3 + 1}, "TOO_LARGE", ["sizeBytes"]),
        ({"contentType": "text/plain"}, "UNSUPPORTED_MEDIA", ["contentType"]),
        ({"contentType": "video/"}, "UNSUPPORTED_MEDIA", ["contentType"]),
        ({"contentType": "application/x-mpegurl"}, "UNSUPPORTED_MEDIA", ["contentType"]),
        ({"filename": ""}, "INVALID_INPUT", ["filename"]),
        ({"filename": "../../etc/passwd"}, "INVALID_INPUT", ["filename"]),
        ({"filename": "a\\b.mp4"}, "INVALID_INPUT", ["filename"]),
        ({"filename": "a\nb.mp4"}, "INVALID_INPUT", ["filename"]),
        ({"filename": "x" * 256}, "INVALID_INPUT", ["filename"]),
        ({"sha256": "0" * 63}, "INVALID_INPUT", ["sha256"]),
        ({"sha256": "g" * 64}, "INVALID_INPUT", ["sha256"]),
        ({"title": "x" * 301}, "INVALID_INPUT", ["title"]),
        ({"title": "a\0b"}, "INVALID_INPUT", ["title"]),
        ({"description": "\ud800"}, "INVALID_INPUT", ["description"]),
        ({"location": {"latitude": 91, "longitude": 0}}, "INVALID_INPUT", ["location", "latitude"]),
        ({"location": {"latitude": 0, "longitude": -181}}, "INVALID_INPUT", ["location", "longitude"]),
        ({"stages": ["no_such_stage"]}, "INVALID_INPUT", ["stages"]),
        ({"stages": []}, "INVALID_INPUT", ["stages"]),
    ],
)
async def test_what_breaks_a_rule_is_named_and_makes_nothing(
    api: Api, work: Database, ada: Viewer, given: dict[str, Any], code: str, path: list[str]
) -> None:
    assert await refused(api, ada, **given) == [(code, ["input", *path])]
    assert await rows.fetch(work, "select from media where owner_id = $1", ada.user_id) == []


async def test_not_a_number_never_enters(api: Api, ada: Viewer) -> None:
    for value in (float("nan"), float("inf")):
        given = {**FILE, "location": {"latitude": value, "longitude": 0.0}}
        answer = await api.try_(CREATE, ada, input=given)
        assert answer.errors
        assert answer.data is None


async def test_a_huge_file_gets_larger_parts_not_more_than_a_bucket_takes(
    app: Database, services: Urls, tmp_path: Path, ada: Viewer
) -> None:
    api = Api(app, tmp_path, services.redis, part_bytes=1)
    upload = await created(api, ada, sizeBytes=25_000)
    assert (upload["partCount"], upload["partSizeBytes"]) == (8334, 3)
    assert len(upload["parts"]) == 100


async def test_known_stages_are_kept_for_the_run(api: Api, work: Database, ada: Viewer) -> None:
    async with work.unit_of_work() as unit:
        await unit.execute(
            "insert into stage_definitions (name, queue, after, capabilities, media_kinds)"
            " values ('upload_test', 'media', '{}', '{}', '{}') on conflict do nothing"
        )
    upload = await created(api, ada, stages=["upload_test"])
    await completed(api, ada, upload, await sent(api, upload, MP4))
    (run,) = await rows.fetch(
        work, "select wanted_stages from runs where workspace_id = $1", ada.workspace_id
    )
    assert run["wanted_stages"] == ["upload_test"]


async def test_completing_makes_the_file_and_launches_a_run(api: Api, work: Database, ada: Viewer) -> None:
    upload = await created(api, ada)
    payload = await completed(api, ada, upload, await sent(api, upload, MP4))
    assert payload["errors"] == []
    run = payload["run"]
    assert (run["number"], run["status"]) == (1, "QUEUED")
    assert run["stages"] == [{"name": "probe", "status": "READY"}]
    assert payload["media"] == {
        "id": upload["media"]["id"],
        "status": "QUEUED",
        "latestRun": {"id": run["id"]},
    }
    (media,) = await rows.fetch(work, "select * from media where owner_id = $1", ada.user_id)
    assert await api.store.get_bytes(media["object_key"]) == MP4
    again = (await api(READ, ada, id=upload["id"]))["upload"]
    assert again["status"] == "COMPLETED"
    assert [part["received"] for part in again["parts"]] == [True]


async def test_watchers_hear_of_the_upload_before_the_analysis(api: Api, work: Database, ada: Viewer) -> None:
    upload = await created(api, ada)
    await completed(api, ada, upload, await sent(api, upload, MP4))
    events = await rows.fetch(
        work, "select type, image from events where workspace_id = $1 order by id", ada.workspace_id
    )
    assert [event["type"] for event in events] == ["video.uploaded", "analysis.queued"]
    assert [event["image"]["media"]["status"] for event in events] == ["UPLOADING", "QUEUED"]


async def test_completing_again_answers_the_same_run(api: Api, work: Database, ada: Viewer) -> None:
    upload = await created(api, ada)
    parts = await sent(api, upload, MP4)
    answers = await asyncio.gather(*(completed(api, ada, upload, parts) for _ in range(4)))
    later = await completed(api, ada, upload, [])
    assert {answer["run"]["id"] for answer in [*answers, later]} == {answers[0]["run"]["id"]}
    assert len(await rows.fetch(work, "select from runs where workspace_id = $1", ada.workspace_id)) == 1


async def test_missing_and_wrong_parts_are_refused_and_the_upload_goes_on(
    app: Database, services: Urls, tmp_path: Path, ada: Viewer
) -> None:
    api = Api(app, tmp_path, services.redis, part_bytes=30)
    upload = await created(api, ada)
    first, second = upload["parts"]
    etag = await api.send(first, MP4[:30])
    wrong = [
        [],
        [{"number": 1, "etag": etag}],
        [{"number": 1, "etag": etag}, {"number": 2, "etag": '"x"'}],
        [{"number": 1, "etag": etag}, {"number": 1, "etag": etag}],
        [{"number": 1, "etag": etag}, {"number": 3, "etag": etag}],
    ]
    for parts in wrong:
        assert codes(await completed(api, ada, upload, parts)) == [("INVALID_INPUT", ["input", "parts"])]
    query = {"id": upload["id"], "first": 100, "after": 0, "missing": True}
    assert (await api(PARTS, ada, **query))["upload"]["parts"] == [{"number": 2, "received": False}]
    last = await api.send(second, MP4[30:])
    assert codes(
        await completed(api, ada, upload, [{"number": 1, "etag": last}, {"number": 2, "etag": last}])
    )
    whole = [{"number": 1, "etag": etag}, {"number": 2, "etag": last}]
    assert (await completed(api, ada, upload, whole))["run"] is not None


async def test_parts_are_read_in_stretches(
    app: Database, services: Urls, tmp_path: Path, ada: Viewer
) -> None:
    api = Api(app, tmp_path, services.redis, part_bytes=10)
    upload = await created(api, ada)
    await api.send(upload["parts"][3], MP4[30:40])

    async def numbers(first: int, after: int, missing: bool) -> list[int]:
        query = {"id": upload["id"], "first": first, "after": after, "missing": missing}
        return [part["number"] for part in (await api(PARTS, ada, **query))["upload"]["parts"]]

    assert await numbers(2, 0, False) == [1, 2]
    assert await numbers(2, 2, False) == [3, 4]
    assert await numbers(2, 2, True) == [3, 5]
    assert await numbers(5, 6, False) == []
    assert await numbers(0, 0, False) == []
    for first, after in ((-1, 0), (1001, 0), (1, -1)):
        answer = await api.try_(PARTS, ada, id=upload["id"], first=first, after=after, missing=False)
        assert answer.codes == ["INVALID_INPUT"]


async def test_the_checksum_of_a_file_in_one_part_is_enforced(api: Api, ada: Viewer) -> None:
    (part,) = (await created(api, ada, sha256=hashlib.sha256(MP4).hexdigest().upper()))["parts"]
    assert [header["name"] for header in part["headers"]] == ["x-amz-checksum-sha256"]
    with pytest.raises(InvalidInput):
        await api.send(part, MP4[:-1] + b"!")
    with pytest.raises(InvalidInput):
        await api.send({**part, "headers": []}, MP4)
    assert await api.send(part, MP4)


async def test_forged_oversized_and_short_parts_are_refused(api: Api, ada: Viewer) -> None:
    (part,) = (await created(api, ada))["parts"]
    cases: list[tuple[dict[str, Any], bytes, type[ViduraError]]] = [
        ({"url": part["url"].replace("n=52", "n=53")}, MP4 + b"!", Forbidden),
        (part, MP4 + b"!", TooLarge),
        (part, MP4[:-1], InvalidInput),
    ]
    for link, data, error in cases:
        with pytest.raises(error):
            await api.send(link, data)


@pytest.mark.parametrize(
    ("data", "content_type", "says"),
    [
        (b"just some text, renamed to a film", "video/mp4", "does not begin like"),
        (b"\0" * 64, "video/mp4", "does not begin like"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video/mp4", "playlist (hls)"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4", "playlist (concat)"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "video/mp4", "announced as video/mp4 but begins like image/png"),
        (MP4, "image/jpeg", "announced as image/jpeg but begins like video/mp4"),
        (b"x", "audio/mpeg", "does not begin like"),
    ],
)
async def test_what_is_no_media_is_rejected_for_good(
    api: Api, work: Database, ada: Viewer, data: bytes, content_type: str, says: str
) -> None:
    upload = await created(api, ada, sizeBytes=len(data), contentType=content_type)
    parts = await sent(api, upload, data)
    for _ in range(2):
        payload = await completed(api, ada, upload, parts)
        assert codes(payload) == [("UNSUPPORTED_MEDIA", ["input", "uploadId"])]
        assert says in payload["errors"][0]["message"]
        assert payload["run"] is None
    again = (await api(READ, ada, id=upload["id"]))["upload"]
    assert (again["status"], again["media"]["status"]) == ("REJECTED", "FAILED")
    assert says in again["reason"]
    (media,) = await rows.fetch(work, "select object_key from media where owner_id = $1", ada.user_id)
    assert not await api.store.exists(media["object_key"])
    analyze = "mutation($id: ID!) { analyze(input: {mediaId: $id}) { errors { code path } } }"
    refused = (await api(analyze, ada, id=upload["media"]["id"]))["analyze"]["errors"]
    assert refused == [{"code": "CONFLICT", "path": ["input", "mediaId"]}]
    assert await rows.fetch(work, "select from runs where workspace_id = $1", ada.workspace_id) == []


async def test_an_upload_that_was_not_completed_in_time_is_over(
    app: Database, services: Urls, tmp_path: Path, ada: Viewer
) -> None:
    api = Api(app, tmp_path, services.redis, upload_seconds=-1)
    upload = await created(api, ada)
    assert upload["status"] == "EXPIRED"
    with pytest.raises(Expired):
        await api.send(upload["parts"][0], MP4)
    assert codes(await completed(api, ada, upload, [])) == [("EXPIRED", ["input", "uploadId"])]


async def test_uploads_of_others_are_not_there(api: Api, work: Database, ada: Viewer) -> None:
    upload, bea = await created(api, ada, visibility="PUBLIC"), await make.viewer(work)
    for viewer in (None, bea):
        assert await api(READ, viewer, id=upload["id"]) == {"upload": None}
    assert codes(await completed(api, bea, upload, [])) == [("NOT_FOUND", ["input", "uploadId"])]
    for nonsense in ("uploads_1", upload["media"]["id"]):
        assert codes(await completed(api, ada, {"id": nonsense}, [])) == [
            ("NOT_FOUND", ["input", "uploadId"])
        ]


async def test_playback_begins_when_the_bytes_are_there(api: Api, ada: Viewer) -> None:
    upload = await created(api, ada)
    query = "query($id: ID!) { video(id: $id) { playback { fileUrl hlsUrl expiresAt } } }"
    media_id = upload["media"]["id"]
    assert (await api(query, ada, id=media_id))["video"]["playback"] is None
    await completed(api, ada, upload, await sent(api, upload, MP4))
    playback = (await api(query, ada, id=media_id))["video"]["playback"]
    assert playback["hlsUrl"] is None
    assert playback["fileUrl"].startswith("http://vidura.test/media/media/")
