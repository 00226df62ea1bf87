"""The demo: brings a video into Vidura by its public API, watches it being understood, shows what came out.

`python -m graphql_api.demo [VIDEO]`, on the system that answers on PORT, else on one started for it.
"""

import argparse
import asyncio
import hashlib
import mimetypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx2

from graphql_api.demo.answers import Failed, Json
from graphql_api.demo.client import Client, File
from graphql_api.demo.screen import Board, Screen, name, outcome, took
from graphql_api.demo.system import ROOT, running_system

TITLE = "A storm in the harbour"
GOOD = ("ANALYZED", "PARTIALLY_ANALYZED")
FINAL = (*GOOD, "FAILED", "CANCELLED")
HTTP_SECONDS = 30.0
# What Python's own table lacks, or calls by a name that is none of media.
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".flv": "video/x-flv",
    ".heic": "image/heic",
    ".m2ts": "video/mp2t",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mts": "video/mp2t",
    ".ogg": "audio/ogg",
    ".ts": "video/mp2t",
    ".webp": "image/webp",
}
# How each of `MediaMetadata`'s fields is shown, in this order.
METADATA = {
    "durationSeconds": ("duration", "{:.2f} s"),
    "sizeBytes": ("size", "{:,} bytes"),
    "format": ("format", "{}"),
    "width": ("width", "{} px"),
    "height": ("height", "{} px"),
    "fps": ("frame rate", "{:g} fps"),
    "rotation": ("rotation", "{}°"),
    "videoCodec": ("video codec", "{}"),
    "audioCodec": ("audio codec", "{}"),
    "bitrate": ("bitrate", "{:,} bit/s"),
}


def main() -> int:
    """Runs the demo: 0 when the video was understood, 1 with the reason when not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m graphql_api.demo", description=__doc__)
    parser.add_argument("video", type=Path, nargs="?", help="a file of yours; one is made if left out")
    given = parser.parse_args().video
    screen = Screen()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return demo(given, screen)
    except KeyboardInterrupt:
        screen.complain("interrupted")
        return 130
    except (Failed, OSError) as error:
        screen.complain(str(error))
        return 1


def demo(given: Path | None, screen: Screen) -> int:
    """The whole story; the exit status."""
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal():
        raise Failed(f"PORT is a number, not {port!r}.")
    home = Path(os.environ.get("VIDURA_HOME") or ".vidura").resolve()
    base = f"http://127.0.0.1:{port}"
    if given is not None:
        check(given)
    with running_system(base, home, screen):
        path, title = (given, None) if given else (sample(home, screen), TITLE)
        with screen.waiting(f"reading {path.name}"):
            file = described(path, title)
        media, seconds, used = asyncio.run(bring(base, home / "admin.json", file, screen))
        show(media, file, screen)
    screen.section("The GraphQL that this took")
    screen.say("\n\n".join(document.strip() for document in used))
    screen.say()
    good = media["status"] in GOOD
    screen.say(f"{media['status']} in {seconds:.1f} s", "bold green" if good else "bold red")
    return 0 if good else 1


def check(path: Path) -> None:
    """Refuses what cannot be a video before anything is started for it."""
    if not path.exists():
        raise Failed(f"There is no file {path}.")
    if not path.is_file():
        raise Failed(f"{path} is not a file.")
    if path.stat().st_size == 0:
        raise Failed(f"{path} is empty.")


def described(path: Path, title: str | None) -> File:
    """A file with all that the API wants to know of it."""
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    guessed = CONTENT_TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0]
    return File(path, title, path.stat().st_size, sha256, guessed or "application/octet-stream")


def sample(home: Path, screen: Screen) -> Path:
    """The demo's own video, made once per home."""
    path = home / "demo" / "harbour.mp4"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole; one each, should two demos make it at once.
    fresh = path.with_name(f"making-{os.getpid()}.mp4")
    command = [sys.executable, "-m", "tasks.media.sample", str(fresh)]
    try:
        with screen.busy("making a video: scenes, speech, subtitles, a place and a time"):
            made = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if made.returncode != 0:
            raise Failed(f"The demo's video could not be made:\n{made.stderr.strip()}")
        return fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


async def bring(base: str, admin: Path, file: File, screen: Screen) -> tuple[Json, float, list[str]]:
    """Uploads a file and watches its analysis: what came out, in how many seconds, by which documents."""
    async with httpx2.AsyncClient(base_url=base, timeout=HTTP_SECONDS, trust_env=False) as http:
        client = Client(http, screen.note)
        screen.say(f"logged in as {await client.enter(admin)}")
        upload = await client.create(file)
        media_id = upload["media"]["id"]
        async with aclosing(client.watch(media_id)) as updates:
            # The first update shows that we are subscribed: from here on nothing can be missed.
            await anext(updates)
            began = time.monotonic()
            with screen.sending(file.size_bytes) as arrived:
                parts = await client.send(upload, file, arrived)
            completing = time.monotonic()
            screen.say(f"sent {file.path.name}, {file.size_bytes:,} bytes, in {completing - began:.1f} s")
            await client.complete(upload, parts)
            screen.say(f"completeUpload answered in {(time.monotonic() - completing) * 1000:.0f} ms")
            await follow(updates, screen)
        seconds = time.monotonic() - completing
        return await client.result(media_id), seconds, client.used


async def follow(updates: AsyncIterator[Json], screen: Screen) -> None:
    """Shows every change until the analysis has ended."""
    board = Board(screen)
    with board.showing():
        async for update in updates:
            board.take(update)
            if update["media"]["status"] in FINAL:
                return


def show(media: Json, file: File, screen: Screen) -> None:
    """Prints everything that is known of an item now."""
    screen.section(media["title"] or file.path.name)
    screen.rows(facts(media))
    if captions := media.get("captions"):
        said = captions["nodes"]
        sources = "".join(f", {source}" for source in sorted({caption["source"] for caption in said}))
        screen.section(f"Captions ({len(said)} of {captions['totalCount']}{sources})")
        screen.rows((span(caption), caption["text"]) for caption in said)
    screen.section(f"Tags ({len(media['tags'])})")
    screen.rows((tag["tag"]["name"], sure(tag["confidence"]), tag["source"]) for tag in media["tags"])
    if run := media["latestRun"]:
        screen.section(f"Run {run['number']}: {run['status']}, cost ${run['costMicros'] / 1e6:.6f}")
        ended = sorted(run["stages"], key=lambda stage: str(stage["finishedAt"]))
        screen.rows((name(stage), stage["status"], took(stage), outcome(stage)) for stage in ended)


def facts(media: Json) -> Iterator[tuple[str, str]]:
    """What is known of an item, by name; what is not known is left out."""
    found = media["metadata"] or {}
    for field, (label, form) in METADATA.items():
        if found.get(field) is not None:
            yield label, form.format(found[field])
    if media["recordedAt"]:
        yield "recorded", media["recordedAt"]
    if place := media["location"]:
        yield "location", f"{place['latitude']:.4f}, {place['longitude']:.4f}"
    if media["thumbnailUrl"]:
        yield "thumbnail", media["thumbnailUrl"]
    if media["aiDescription"]:
        engines = [stage["engine"] for stage in media["latestRun"]["stages"] if stage["name"] == "describe"]
        yield "description", media["aiDescription"]
        yield "written by", engines[0]


def span(caption: Json) -> str:
    """From when to when a caption is said, in minutes and seconds."""
    return " – ".join(f"{int(at // 60)}:{at % 60:05.2f}" for at in (caption["startTime"], caption["endTime"]))


def sure(confidence: float | None) -> str:
    """How sure a source is, in per cent; empty where it does not say."""
    return "" if confidence is None else f"{confidence:.0%}"


if __name__ == "__main__":
    sys.exit(main())
