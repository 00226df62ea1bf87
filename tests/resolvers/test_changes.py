"""Mutations: at most once per idempotency key, one transaction each, refusals as user errors."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from db.connection import Database, Unit, Viewer
from db.embedded import Urls
from db.errors import Conflict
from resolvers.changes import Payload, perform
from resolvers.compile.source import Change
from resolvers.context import Context
from tests.support import make, rows
from tests.support.graphql import Api

CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id media { title } } errors { code path } } }"""
CANCEL = """mutation($id: ID!, $key: String) {
  cancelRun(runId: $id, idempotencyKey: $key) { run { id status } errors { code path } } }"""
FILE = {"filename": "a.mp4", "contentType": "video/mp4", "sizeBytes": 9}


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Whoever changes something."""
    return await make.viewer(work)


async def created(api: Api, viewer: Viewer, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await api(CREATE, viewer, input={**FILE, **given}))["createUpload"]
    return payload


async def uploads_of(work: Database, viewer: Viewer) -> int:
    return len(await rows.fetch(work, "select from uploads where owner_id = $1", viewer.user_id))


async def test_the_same_key_has_one_effect_and_one_answer(api: Api, work: Database, ada: Viewer) -> None:
    first = await created(api, ada, title="Storm", idempotencyKey="k")
    assert first["upload"]["media"]["title"] == "Storm"
    assert await created(api, ada, title="Storm", idempotencyKey="k") == first
    assert await uploads_of(work, ada) == 1


async def test_calls_at_the_same_moment_have_one_effect(api: Api, work: Database, ada: Viewer) -> None:
    answers = await asyncio.gather(*(created(api, ada, idempotencyKey="k") for _ in range(6)))
    assert {answer["upload"]["id"] for answer in answers} == {answers[0]["upload"]["id"]}
    assert await uploads_of(work, ada) == 1


async def test_other_arguments_are_a_mismatch(api: Api, work: Database, ada: Viewer) -> None:
    await created(api, ada, title="Storm", idempotencyKey="k")
    answer = await created(api, ada, title="Calm", idempotencyKey="k")
    assert answer["upload"] is None
    assert answer["errors"] == [{"code": "IDEMPOTENCY_MISMATCH", "path": ["input", "idempotencyKey"]}]
    assert await uploads_of(work, ada) == 1


async def test_another_key_and_no_key_are_other_calls(api: Api, work: Database, ada: Viewer) -> None:
    for key in ("a", "b", None, None):
        await created(api, ada, idempotencyKey=key)
    assert await uploads_of(work, ada) == 4


async def test_a_key_belongs_to_its_workspace_and_its_mutation(api: Api, work: Database, ada: Viewer) -> None:
    bea = await make.viewer(work)
    first, second = [await created(api, viewer, idempotencyKey="k") for viewer in (ada, bea)]
    assert first["upload"]["id"] != second["upload"]["id"]
    run_id = await rows.run(work, await make.media(work, ada), status="QUEUED")
    stopped = (await api(CANCEL, ada, id=f"runs_{run_id}", key="k"))["cancelRun"]
    assert stopped == {"run": {"id": f"runs_{run_id}", "status": "CANCELLED"}, "errors": []}
    # Without the key a second stop is a conflict; with it, the first answer.
    assert (await api(CANCEL, ada, id=f"runs_{run_id}", key="k"))["cancelRun"] == stopped
    again = (await api(CANCEL, ada, id=f"runs_{run_id}", key=None))["cancelRun"]
    assert again["errors"] == [{"code": "CONFLICT", "path": ["runId"]}]


async def test_a_refusal_does_not_use_up_the_key(api: Api, ada: Viewer) -> None:
    refused = await created(api, ada, sizeBytes=0, idempotencyKey="k")
    assert refused["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "sizeBytes"]}]
    assert (await created(api, ada, idempotencyKey="k"))["errors"] == []


async def test_a_rejected_file_stays_rejected_under_its_key(api: Api, ada: Viewer) -> None:
    upload = (await created(api, ada))["upload"]
    query = "query($id: ID!) { upload(id: $id) { parts { number url } } }"
    (part,) = (await api(query, ada, id=upload["id"]))["upload"]["parts"]
    etag = await api.send(part, b"no media!")
    complete = """mutation($input: CompleteUploadInput!) {
      completeUpload(input: $input) { run { id } errors { code message } } }"""
    given = {"uploadId": upload["id"], "parts": [{"number": 1, "etag": etag}], "idempotencyKey": "k"}
    answers = [await api(complete, ada, input=given) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["completeUpload"]["errors"][0]["code"] == "UNSUPPORTED_MEDIA"


async def test_a_key_is_not_endless(api: Api, ada: Viewer) -> None:
    answer = await created(api, ada, idempotencyKey="k" * 201)
    assert answer["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "idempotencyKey"]}]


async def test_what_was_written_before_a_refusal_is_undone(api: Api, work: Database, ada: Viewer) -> None:
    async def change(unit: Unit, context: Context) -> dict[str, Any]:
        await unit.execute("update users set name = 'Eve' where id = $1", ada.user_id)
        raise Conflict("No.")

    payload = await perform(Change(change), api.context.operation(ada, ""), {})
    assert payload["errors"][0]["code"] == "CONFLICT"
    (user,) = await rows.fetch(work, "select name from users where id = $1", ada.user_id)
    assert user["name"] == "Ada"


async def test_a_bug_is_no_user_error(api: Api, ada: Viewer) -> None:
    async def change(unit: Unit, context: Context) -> dict[str, Any]:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await perform(Change(change), api.context.operation(ada, ""), {})


async def test_a_later_field_sees_what_an_earlier_one_changed(api: Api, work: Database, ada: Viewer) -> None:
    media_id = await make.media(work, ada)
    run_id = await rows.run(work, media_id, status="QUEUED")
    three = """mutation($media: ID!, $run: ID!) {
      a: cancelRun(runId: $run) { run { media { status latestRun { number } } } }
      b: analyze(input: {mediaId: $media}) { run { media { status latestRun { number } } } }
      c: analyze(input: {mediaId: $media}) { run { id } errors { code } } }"""
    found = await api(three, ada, media=f"media_{media_id}", run=f"runs_{run_id}")
    assert found["a"]["run"]["media"] == {"status": "CANCELLED", "latestRun": {"number": 1}}
    assert found["b"]["run"]["media"] == {"status": "QUEUED", "latestRun": {"number": 2}}
    assert found["c"] == {"run": None, "errors": [{"code": "CONFLICT"}]}


async def test_operations_do_not_share_what_they_read(app: Database, services: Urls, tmp_path: Path) -> None:
    base = Api(app, tmp_path, services.redis).context
    first, second = base.operation(None, "1"), base.operation(None, "2")
    assert first.reads is first.reads
    assert first.reads is not second.reads


def test_a_payload_lacks_nothing() -> None:
    assert Payload(run=1)["errors"] == []
    assert Payload(errors=[1])["run"] is None
