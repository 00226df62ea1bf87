"""A video goes in; every step is visible live; what it shows and says comes out. Over HTTP and WebSocket."""

import asyncio
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client

pytestmark = pytest.mark.story

WHOLE = """
query($id: ID!) {
  video(id: $id) {
    title description aiDescription status visibility recordedAt location { latitude longitude }
    owner { name } thumbnailUrl playback { fileUrl }
    metadata {
      durationSeconds format sizeBytes width height fps videoCodec audioCodec bitrate rotation hasAudio
      mimeType publicId sha256 probe
    }
    tags { tag { id name slug } confidence source }
    captions(first: 100) {
      totalCount pageInfo { hasNextPage } nodes { id text startTime endTime language source }
    }
    runs { totalCount nodes { number status } }
    latestRun { number status progress costMicros stages { name status engine reason attempt } }
  }
}"""


async def test_a_video_is_uploaded_watched_and_understood(ada: Client, sample: Path) -> None:
    upload = await ada.create_upload(sample, title="A storm in the harbour", description="Mine.")
    subscribed = asyncio.Event()
    updates: list[dict[str, Any]] = []

    async def watch() -> None:
        async with aclosing(ada.watch(upload.media_id)) as stream:
            async for update in stream:
                updates.append(update)
                subscribed.set()
                if update["event"] and update["event"]["type"] == "video.processed":
                    return

    watching = asyncio.create_task(watch())
    await asyncio.wait_for(subscribed.wait(), 10)
    completed = await ada.complete(upload)
    assert completed["errors"] == []
    assert completed["media"]["status"] == "QUEUED"
    await asyncio.wait_for(watching, 60)

    stages = await ada.stages_for("VIDEO")
    assert stages >= {"probe", "frames", "thumbnail", "audio", "captions", "describe", "tags", "embed"}
    check_stream(updates, stages)
    video = (await ada.ask(WHOLE, id=upload.media_id))["video"]
    check_understood(video, sample)
    assert {stage["name"] for stage in video["latestRun"]["stages"]} == stages
    picture = await ada.http.get(video["thumbnailUrl"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/jpeg"
    part = await ada.http.get(video["playback"]["fileUrl"], headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


def check_stream(updates: list[dict[str, Any]], stages: set[str]) -> None:
    """Snapshot first, cursors strictly rising, and every stage's start, progress and end in that order."""
    assert updates[0]["kind"] == "SNAPSHOT"
    assert updates[0]["media"]["status"] == "UPLOADING"
    kept = [
        int(update["cursor"])
        for update in updates
        if update["event"] and update["event"]["type"] != "analysis.progress"
    ]
    assert all(after > before for before, after in pairwise(kept))
    types = [update["event"]["type"] for update in updates if update["event"]]
    assert {"ai.captions", "ai.description", "ai.tags"} <= set(types)
    assert types[:3] == ["video.uploaded", "analysis.queued", "analysis.started"]
    assert types[-2:] == ["analysis.completed", "video.processed"]
    for stage in stages:
        seen = [
            update["event"]["type"]
            for update in updates
            if update["event"]
            and update["stage"]
            and update["stage"]["name"] == stage
            and update["event"]["type"] in ("stage.started", "analysis.progress", "stage.finished")
        ]
        assert seen[0] == "stage.started", stage
        assert seen[-1] == "stage.finished", stage
        assert set(seen[1:-1]) == {"analysis.progress"}, stage


def check_understood(video: dict[str, Any], sample: Path) -> None:
    """Everything the pipeline found out about the sample."""
    assert video["status"] == "ANALYZED"
    assert video["description"] == "Mine."
    assert "harbour" in video["aiDescription"]
    assert video["recordedAt"].endswith("Z")
    assert abs(video["location"]["latitude"]) > 1
    about = video["metadata"]
    assert (about["width"], about["height"], about["videoCodec"], about["audioCodec"]) == (
        1280,
        720,
        "h264",
        "aac",
    )
    assert about["format"] == "mp4"
    assert about["mimeType"] == "video/mp4"
    assert about["sizeBytes"] == sample.stat().st_size
    assert about["hasAudio"] is True
    assert about["probe"]["streams"]
    captions = video["captions"]
    assert captions["totalCount"] == len(captions["nodes"]) > 3
    assert {caption["source"] for caption in captions["nodes"]} == {"embedded:mov_text"}
    assert "harbour" in {tag["tag"]["slug"] for tag in video["tags"]}
    assert {stage["status"] for stage in video["latestRun"]["stages"]} == {"DONE"}
    engines = {stage["name"]: stage["engine"] for stage in video["latestRun"]["stages"]}
    assert engines["describe"].startswith("fallback:")
    assert engines["embed"].startswith("fallback:")
    assert video["runs"] == {"totalCount": 1, "nodes": [{"number": 1, "status": "ANALYZED"}]}


async def test_after_a_dropped_connection_the_cursor_gives_exactly_the_rest(
    ada: Client, sample: Path
) -> None:
    upload = await ada.create_upload(sample)
    await ada.complete(upload)
    whole = await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 60)
    kept = [u["event"] for u in whole if u["event"] and u["event"]["type"] != "analysis.progress"]
    for place in (0, len(kept) // 2, len(kept) - 2):
        rest = await asyncio.wait_for(ada.watch_to_end(upload.media_id, after=kept[place]["cursor"]), 20)
        assert [u["event"] for u in rest if u["kind"] == "EVENT"] == kept[place + 1 :]
        assert all(u["kind"] == "EVENT" for u in rest)


async def test_a_cursor_nobody_gave_out_is_answered_with_resync_and_a_snapshot(
    ada: Client, sample: Path
) -> None:
    upload = await ada.create_upload(sample)
    for after in ("999999999", "yesterday", "-1"):
        async with aclosing(ada.watch(upload.media_id, after)) as updates:
            kinds = [(await anext(updates))["kind"], (await anext(updates))["kind"]]
        assert kinds == ["RESYNC", "SNAPSHOT"]


async def test_silence_is_filled_with_heartbeats_that_repeat_the_cursor(ada: Client, sample: Path) -> None:
    upload = await ada.create_upload(sample)
    async with aclosing(ada.watch(upload.media_id)) as updates:
        snapshot, beat = await anext(updates), await anext(updates)
    assert (beat["kind"], beat["cursor"]) == ("HEARTBEAT", snapshot["cursor"])


async def test_another_users_item_is_nowhere_to_be_seen(ada: Client, bob: Client, sample: Path) -> None:
    upload = await ada.create_upload(sample)
    assert (await bob.ask(WHOLE, id=upload.media_id))["video"] is None
    answer = await bob.answer(
        "mutation($id: ID!) { analyze(input: {mediaId: $id}) { errors { code } } }", id=upload.media_id
    )
    assert answer["data"]["analyze"]["errors"] == [{"code": "NOT_FOUND"}]
    with pytest.raises(AssertionError, match="NOT_FOUND"):
        await anext(bob.watch(upload.media_id))


async def test_a_second_analysis_keeps_the_first(ada: Client, sample: Path) -> None:
    """D1, D2."""
    upload = await ada.create_upload(sample)
    await ada.complete(upload)
    await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 60)
    again = await ada.ask(
        'mutation($id: ID!) { analyze(input: {mediaId: $id, stages: ["tags"]}) '
        "{ run { id number } errors { code message } } }",
        id=upload.media_id,
    )
    assert again["analyze"]["errors"] == []
    run = again["analyze"]["run"]
    assert run["number"] == 2
    async with aclosing(ada.watch(upload.media_id)) as updates:
        async for update in updates:
            if update["media"]["status"] == "ANALYZED":
                break
    video = (await ada.ask(WHOLE, id=upload.media_id))["video"]
    assert [one["number"] for one in video["runs"]["nodes"]] == [2, 1]
    assert {stage["name"] for stage in video["latestRun"]["stages"]} == {
        "probe",
        "frames",
        "audio",
        "captions",
        "describe",
        "tags",
    }
