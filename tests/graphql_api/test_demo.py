"""The demo as people run it: a process that talks to a running system, and says what it sees."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, validate

from schema.root import build_schema
from tasks.media.sample import SCENES
from tests.support import media
from tests.support.processes import Watch, family
from tests.support.running import ROOT, Running, running_system
from tests.support.sample import sample_video

pytestmark = pytest.mark.story

STAGES = {"probe", "frames", "thumbnail", "audio", "captions", "describe", "tags", "embed"}
END = re.compile(r"ANALYZED in \d+\.\d s")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running system for all demos but those that start their own."""
    with running_system(tmp_path_factory.mktemp("demo") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of the demo's video."""
    return sample_video(tmp_path_factory.mktemp("sample") / "harbour.mp4", "--seconds", "8")


def start(
    home: Path, port: int | str, *video: Path, out: int = subprocess.PIPE, **environment: str
) -> "subprocess.Popen[str]":
    """A demo on the system of `home` and `port`; its output is no terminal unless `out` is one."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = {"VIDURA_HOME": str(home), "PORT": str(port), "WHISPER_FETCH": "false", "TERM": "xterm"}
    return subprocess.Popen(
        [sys.executable, "-m", "graphql_api.demo", *map(str, video)],
        cwd=ROOT,
        env=inherited | settings | environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        text=True,
    )


def run(system: Running, *video: Path) -> tuple[int, str, str]:
    """A whole demo on a running system: its exit status, and what it said, and what it complained of."""
    demo = start(system.home, system.url.rpartition(":")[2], *video)
    out, err = demo.communicate(timeout=120)
    return demo.returncode, out, err


def section(out: str, title: str) -> list[str]:
    """The lines below the heading that begins with `title`."""
    lines = out.splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith(title)) + 1
    return lines[begin : lines.index("", begin)]


def test_without_a_file_it_makes_a_video_and_shows_all_that_was_understood(system: Running) -> None:
    code, out, err = run(system)

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert END.fullmatch(out.splitlines()[-1])
    assert (system.home / "demo" / "harbour.mp4").exists()
    facts = "\n".join(section(out, "A storm in the harbour"))
    assert re.search(r"duration +25\.\d\d s", facts)
    assert re.search(r"width +1280 px\n +height +720 px\n +frame rate +25 fps", facts)
    assert "2025-11-14T17:30:00.000Z" in facts
    assert "68.2342, 14.5683" in facts
    assert f"{system.url}/media/" in facts
    assert re.search(r"written by +\S+", facts)
    captions = section(out, "Captions (6 of 6, embedded:mov_text)")
    assert [line.split("  ")[-1] for line in captions] == [scene.sentence for scene in SCENES]
    assert any(re.fullmatch(r"  harbour +\d+%  \S+", line) for line in section(out, "Tags"))
    assert {line.split()[0] for line in section(out, "Run 1: ANALYZED, cost $")} == STAGES


def test_the_graphql_it_prints_is_complete_and_valid(system: Running, sample: Path) -> None:
    _, out, _ = run(system, sample)

    printed = out.partition("The GraphQL that this took\n")[2].rpartition("\n\n")[0]
    document = parse(printed)
    assert validate(build_schema()._schema, document) == []
    for operation in ("register(", "createUpload(", "completeUpload(", "pipeline(", "media("):
        assert operation in printed


def test_what_was_skipped_is_shown_with_its_reason(system: Running, tmp_path: Path) -> None:
    code, out, _ = run(system, media.video(tmp_path, sound=None))

    assert code == 0
    live, _, result = out.partition("\n\n")
    for shown in (live, result):
        assert re.search(r"captions +SKIPPED .*There is no audio track", shown)


def test_it_goes_on_where_it_was_when_the_web_is_killed(system: Running) -> None:
    demo = start(system.home, system.url.rpartition(":")[2])
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if re.match(r"  frames +RUNNING", line):
            (web,) = system.processes("graphql_api.cli", "web")
            os.kill(web, signal.SIGKILL)
            break
    rest, err = demo.communicate(timeout=60)
    live, _, _ = ("".join(lines) + rest).partition("\n\n")

    assert (demo.returncode, err) == (0, "")
    assert "trying again …" in live
    assert sorted(re.findall(r"^  (\w+) +DONE ", live, re.MULTILINE)) == sorted(STAGES)
    assert END.fullmatch(rest.splitlines()[-1])


def test_a_text_file_named_mp4_ends_with_a_sentence(system: Running, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("Buy milk.\n")

    code, _, err = run(system, path)

    assert code == 1
    assert err == "The file does not begin like any kind of media we take. (UNSUPPORTED_MEDIA)\n"


@pytest.mark.parametrize(("content", "sentence"), [(None, "There is no file {}."), (b"", "{} is empty.")])
def test_for_a_file_that_cannot_be_a_video_nothing_is_started(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)

    demo = start(tmp_path / "home", free_port(), path)
    _, err = demo.communicate(timeout=20)

    assert (demo.returncode, err) == (1, sentence.format(path) + "\n")
    assert not (tmp_path / "home").exists()


def test_many_parts_and_tokens_that_end_on_the_way_are_no_trouble_and_its_own_system_is_stopped(
    tmp_path: Path, sample: Path
) -> None:
    port = free_port()
    demo = start(tmp_path / "home", port, sample, UPLOAD_PART_BYTES="4000", ACCESS_TOKEN_SECONDS="1")
    out, err = demo.communicate(timeout=120)

    assert (demo.returncode, err) == (0, "")
    assert sample.stat().st_size > 100 * 4000, "one page of links is not enough"
    assert "mutation Login" in out, "no token ended on the way"
    assert END.fullmatch(out.splitlines()[-1])
    socket.create_server(("127.0.0.1", port)).close()


def test_a_system_that_cannot_start_is_told_with_its_own_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo = start(tmp_path / "home", taken.getsockname()[1], media.image(tmp_path))
        out, err = demo.communicate(timeout=60)

    assert demo.returncode == 1
    assert "starting Vidura" in out
    assert "set another PORT" in err
    assert "Traceback" not in err


def test_ctrl_c_gives_the_terminal_back_and_stops_the_system_it_started(tmp_path: Path, sample: Path) -> None:
    terminal, inside = os.openpty()
    port = free_port()
    demo = start(tmp_path / "home", port, sample, out=inside)
    os.close(inside)
    shown = read_until(terminal, "completeUpload answered", 90)
    everyone = Watch(family(demo.pid))

    demo.send_signal(signal.SIGINT)
    shown += read_until(terminal, None, 30)
    os.close(terminal)

    assert demo.wait(10) == 130
    assert everyone.left(5) == []
    assert HIDE_CURSOR in shown
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert "interrupted" in shown
    assert "Traceback" not in shown
    socket.create_server(("127.0.0.1", port)).close()


def read_until(terminal: int, text: str | None, seconds: float) -> str:
    """What a terminal shows until `text` comes; without one, until nobody writes to it any more."""
    shown = ""
    deadline = time.monotonic() + seconds
    while text is None or text not in shown:
        if not select.select([terminal], (), (), max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"{text!r} did not come:\n{shown}")
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            break
    return shown


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
