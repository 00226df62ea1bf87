"""Files that are not what they seem: each is answered, nothing hangs, and nothing is left behind."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.client import CREATE, Client
from tests.support.running import Running

pytestmark = pytest.mark.story

PROBE = """
query($id: ID!) {
  upload(id: $id) { status reason }
}"""
RESULT = """
query($id: ID!) {
  media(id: $id) { status latestRun { status stages { name status errorCode reason } } }
}"""


def text_file(folder: Path) -> Path:
    """Words that call themselves a video."""
    path = folder / "notes.mp4"
    path.write_text("Dear diary, today nothing happened.\n" * 40)
    return path


def moovless(folder: Path) -> Path:
    """An MP4 whose upload broke off: its index at the end is missing."""
    return media.truncated(media.video(folder))


def renamed(folder: Path) -> Path:
    """A text document with the first bytes of an MP4."""
    path = folder / "letter.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + b"This is a letter, not a video.\n" * 200)
    return path


def secret_playlist(folder: Path) -> Path:
    """A playlist that points to a file of this machine."""
    return media.playlist(folder, "file:///etc/passwd")


@pytest.fixture
def work_folders(system: Running) -> Callable[[], list[str]]:
    """What lies in the scratch folders of the workers."""
    return lambda: [name for path in (system.home / "scratch").iterdir() for name in os.listdir(path)]


@pytest.mark.parametrize(
    ("make", "content_type", "code"),
    [
        (text_file, "video/mp4", None),
        (secret_playlist, "video/mp4", None),
        (renamed, "video/mp4", ("NOT_MEDIA", "CORRUPT", "TRUNCATED")),
        (moovless, "video/mp4", ("TRUNCATED",)),
        (media.pixel_bomb, "image/png", ("TOO_MANY_PIXELS",)),
        (media.day_long, "video/mp4", ("TOO_LONG",)),
    ],
)
async def test_a_hostile_file_is_refused_with_a_reason_and_leaves_nothing(
    ada: Client,
    system: Running,
    work_folders: Callable[[], list[str]],
    tmp_path: Path,
    make: Callable[[Path], Path],
    content_type: str,
    code: tuple[str, ...] | None,
) -> None:
    """T8."""
    upload = await ada.create_upload(make(tmp_path), content_type)
    began = time.monotonic()
    completed = await ada.complete(upload)
    if code is None:
        assert completed["errors"][0]["code"] == "UNSUPPORTED_MEDIA"
        assert len(completed["errors"][0]["message"]) > 20
        state = (await ada.ask(PROBE, id=upload.id))["upload"]
        assert state["status"] == "REJECTED"
        assert state["reason"]
        return
    assert completed["errors"] == []
    updates = await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 40)
    assert updates[-1]["media"]["status"] == "FAILED"
    result = (await ada.ask(RESULT, id=upload.media_id))["media"]
    (probe,) = result["latestRun"]["stages"]
    assert (probe["name"], probe["status"]) == ("probe", "FAILED")
    assert probe["errorCode"] in code
    assert len(probe["reason"]) > 20
    assert time.monotonic() - began < 20
    assert work_folders() == []
    assert system.processes("tasks.media.child") == []


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"sizeBytes": 0}, "INVALID_INPUT", ["input", "sizeBytes"]),
        ({"sizeBytes": 2**50}, "TOO_LARGE", ["input", "sizeBytes"]),
        ({"contentType": "application/zip"}, "UNSUPPORTED_MEDIA", ["input", "contentType"]),
        ({"filename": "../../etc/passwd"}, "INVALID_INPUT", ["input", "filename"]),
        ({"sha256": "abc"}, "INVALID_INPUT", ["input", "sha256"]),
    ],
)
async def test_an_upload_that_cannot_be_is_refused_before_it_begins(
    ada: Client, changes: dict[str, Any], code: str, path: list[str]
) -> None:
    """S1."""
    about = {"filename": "a.mp4", "contentType": "video/mp4", "sizeBytes": 100} | changes
    made = (await ada.ask(CREATE, input=about))["createUpload"]
    assert made["upload"] is None
    assert [error["code"] for error in made["errors"]] == [code]
    assert made["errors"][0]["path"][-1] == path[-1]


async def test_parts_that_were_not_asked_for_are_refused(ada: Client, tmp_path: Path) -> None:
    upload = await ada.create_upload(media.video(tmp_path))
    part, data = upload.parts[0], upload.data
    forged = part | {"url": part["url"].replace("s=", "s=0", 1)}
    assert (await ada.put(forged, data)).status_code == 403
    assert (await ada.put(part, data + b"more")).status_code in (400, 413)
    assert (await ada.put(part, data[:-1])).status_code == 400
    other = bytes([data[0] ^ 1]) + data[1:]
    assert (await ada.put(part, other)).status_code == 400, "another file's bytes under this checksum"
    assert (await ada.put(part, data)).status_code == 200


async def test_images_and_sounds_are_media_too(ada: Client, tmp_path: Path) -> None:
    """S2."""
    for file, content_type, kind in (
        (media.image(tmp_path), "image/jpeg", "IMAGE"),
        (media.audio(tmp_path), "audio/wav", "AUDIO"),
    ):
        upload = await ada.create_upload(file, content_type, title="A thing")
        assert (await ada.complete(upload))["errors"] == []
        await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 60)
        result = (await ada.ask(RESULT, id=upload.media_id))["media"]
        assert result["status"] == "ANALYZED", result
        stages = await ada.stages_for(kind)
        assert {stage["name"] for stage in result["latestRun"]["stages"]} == stages
        for stage in result["latestRun"]["stages"]:
            assert stage["status"] == "DONE" or (stage["status"] == "SKIPPED" and stage["reason"]), stage
