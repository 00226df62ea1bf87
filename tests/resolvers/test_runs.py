"""Runs: reading how far they are, launching and stopping them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.connection import Database, Viewer
from tests.support import make, rows
from tests.support.graphql import Api

ANALYZE = """mutation($input: AnalyzeInput!) {
  analyze(input: $input) { run { id number status media { id status } } errors { code message path } } }"""
CANCEL = """mutation($id: ID!) {
  cancelRun(runId: $id) { run { id status stages { status } } errors { code path } } }"""
RUN = """query($id: ID!) { run(id: $id) {
  number status progress etaSeconds costMicros createdAt startedAt finishedAt media { id }
  stages { name shard status attempt progress done total engine reason errorCode costMicros } } }"""


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Somebody with media."""
    return await make.viewer(work)


async def analyzed(api: Api, viewer: Viewer, media_id: object, **given: Any) -> dict[str, Any]:
    """The payload of launching."""
    input_ = {"mediaId": f"media_{media_id}", **given}
    payload: dict[str, Any] = (await api(ANALYZE, viewer, input=input_))["analyze"]
    return payload


def codes(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_analyzing_launches_the_next_run(api: Api, work: Database, ada: Viewer) -> None:
    media_id = await make.media(work, ada)
    await rows.run(work, media_id)
    payload = await analyzed(api, ada, media_id)
    assert payload["errors"] == []
    assert (payload["run"]["number"], payload["run"]["status"]) == (2, "QUEUED")
    assert payload["run"]["media"] == {"id": f"media_{media_id}", "status": "QUEUED"}
    (run,) = await rows.fetch(
        work, "select correlation_id from runs where media_id = $1 and number = 2", media_id
    )
    assert run["correlation_id"] == "request-1"


async def test_an_item_is_analysed_by_one_run_at_a_time(api: Api, work: Database, ada: Viewer) -> None:
    media_id = await make.media(work, ada)
    await analyzed(api, ada, media_id)
    assert codes(await analyzed(api, ada, media_id)) == [("CONFLICT", ["input", "mediaId"])]


@pytest.mark.parametrize("visibility", ["PRIVATE", "PUBLIC", "UNLISTED"])
async def test_media_of_others_cannot_be_analysed(
    api: Api, work: Database, ada: Viewer, visibility: str
) -> None:
    media_id = await make.media(work, await make.viewer(work), visibility=visibility)
    assert codes(await analyzed(api, ada, media_id)) == [("NOT_FOUND", ["input", "mediaId"])]


async def test_what_is_no_media_id_is_not_found(api: Api, ada: Viewer) -> None:
    for nonsense in ("", "x", "1234"):
        assert codes(await analyzed(api, ada, nonsense)) == [("NOT_FOUND", ["input", "mediaId"])]


async def test_a_run_is_stopped_once(api: Api, work: Database, ada: Viewer) -> None:
    run = (await analyzed(api, ada, await make.media(work, ada)))["run"]
    payload = (await api(CANCEL, ada, id=run["id"]))["cancelRun"]
    assert payload["run"] == {"id": run["id"], "status": "CANCELLED", "stages": [{"status": "CANCELLED"}]}
    again = (await api(CANCEL, ada, id=run["id"]))["cancelRun"]
    assert codes(again) == [("CONFLICT", ["runId"])]


async def test_runs_of_others_cannot_be_stopped(api: Api, work: Database, ada: Viewer) -> None:
    run_id = await rows.run(work, await make.media(work, await make.viewer(work), visibility="PUBLIC"))
    for wanted in (f"runs_{run_id}", "runs_x", f"media_{run_id}"):
        assert codes((await api(CANCEL, ada, id=wanted))["cancelRun"]) == [("NOT_FOUND", ["runId"])]


async def test_progress_is_the_mean_of_the_stages(api: Api, work: Database, ada: Viewer) -> None:
    run_id = await rows.run(work, await make.media(work, ada), status="PROCESSING")
    now = datetime.now(UTC)
    await rows.change(work, "runs", run_id, started_at=now - timedelta(seconds=60))
    await rows.stage(work, run_id, "probe", status="DONE", finished_at=now)
    await rows.stage(work, run_id, "frames", status="RUNNING", done=5, total=10)
    await rows.stage(work, run_id, "audio", status="RUNNING", done=7)
    await rows.stage(work, run_id, "tags", status="WAITING")
    run = (await api(RUN, ada, id=f"runs_{run_id}"))["run"]
    assert {stage["name"]: stage["progress"] for stage in run["stages"]} == {
        "probe": 1.0,
        "frames": 0.5,
        "audio": 0.0,
        "tags": 0.0,
    }
    assert run["progress"] == 0.375
    assert run["etaSeconds"] == pytest.approx(100, abs=5)


async def test_nobody_guesses_when_too_little_is_done(api: Api, work: Database, ada: Viewer) -> None:
    run_id = await rows.run(work, await make.media(work, ada), status="PROCESSING")
    await rows.change(work, "runs", run_id, started_at=datetime.now(UTC))
    await rows.stage(work, run_id, "frames", status="RUNNING", done=1, total=100)
    run = (await api(RUN, ada, id=f"runs_{run_id}"))["run"]
    assert run["progress"] == 0.01
    assert run["etaSeconds"] is None


async def test_a_run_that_has_ended_is_complete(api: Api, work: Database, ada: Viewer) -> None:
    run_id = await rows.run(work, await make.media(work, ada), finished_at=datetime.now(UTC))
    await rows.stage(work, run_id, "frames", status="CANCELLED", done=1, total=100, cost_micros=12)
    run = (await api(RUN, ada, id=f"runs_{run_id}"))["run"]
    assert (run["progress"], run["etaSeconds"]) == (1.0, None)
    assert run["stages"][0]["costMicros"] == 12
