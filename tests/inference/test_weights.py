"""Fetching weights in the background, and telling weights apart."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from inference.weights import Source, Unknown, WeightsFetch, fingerprint, missing_folder

WEIGHTS = b"weights" * 100_000


class Shelf(BaseHTTPRequestHandler):
    """Hands out the weights at /good, half of them at /half, and waits for `go` at /slow."""

    go: ClassVar[threading.Event]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/slow":
            self.go.wait(30)
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS[: len(WEIGHTS) // 2] if self.path == "/half" else WEIGHTS)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def shelf() -> Iterator[type[Shelf]]:
    Shelf.go, Shelf.asked = threading.Event(), []
    yield Shelf
    Shelf.go.set()


@pytest.fixture
def source(shelf: type[Shelf]) -> Iterator[Callable[[str], Source]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), shelf) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        yield lambda path: Source(f"http://127.0.0.1:{server.server_address[1]}{path}", sha256)
        server.shutdown()


def fetch(source: Callable[[], Source], target: Path) -> WeightsFetch:
    return WeightsFetch("whisper model 'base'", source, target)


def test_weights_are_there_only_once_they_are_complete(
    source: Callable[[str], Source], shelf: type[Shelf], tmp_path: Path
) -> None:
    target = tmp_path / "weights" / "base.pt"
    fetching = fetch(lambda: source("/slow"), target)
    fetching.start()

    assert fetching.reason() == "whisper model 'base' is still being fetched"
    shelf.go.set()
    fetching.wait(10)
    assert fetching.reason() is None
    assert target.read_bytes() == WEIGHTS
    assert [path.name for path in target.parent.iterdir()] == ["base.pt"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/none", "the server answered 404"),
        ("/half", "what arrived has another checksum than it should"),
    ],
)
def test_a_failure_says_why_and_when_it_is_tried_again(
    path: str, why: str, source: Callable[[str], Source], tmp_path: Path
) -> None:
    fetching = fetch(lambda: source(path), tmp_path / "base.pt")
    fetching.start()
    fetching.wait(10)

    told = fetching.reason() or ""

    assert told.startswith(f"whisper model 'base' could not be fetched: {why}; trying again in 1")
    assert told.endswith(" s")
    assert not (tmp_path / "base.pt").exists()


def test_an_address_nobody_answers_at_is_a_failure_too(tmp_path: Path) -> None:
    fetching = fetch(lambda: Source("http://127.0.0.1:9/base.pt", "0"), tmp_path / "base.pt")
    fetching.start()
    fetching.wait(15)

    assert "could not be fetched: [Errno 111] Connection refused" in (fetching.reason() or "")


def test_a_name_that_does_not_exist_is_not_tried_again(tmp_path: Path) -> None:
    def unknown() -> Source:
        raise Unknown("there is no whisper model 'bse'; there are base and tiny")

    fetching = fetch(unknown, tmp_path / "bse.pt")
    fetching.start()
    fetching.wait(10)

    assert fetching.reason() == "there is no whisper model 'bse'; there are base and tiny"


def test_weights_that_are_there_are_not_fetched_again(
    source: Callable[[str], Source], shelf: type[Shelf], tmp_path: Path
) -> None:
    target = tmp_path / "base.pt"
    target.write_bytes(b"here already")
    fetching = fetch(lambda: source("/good"), target)
    fetching.start()

    assert fetching.reason() is None
    assert shelf.asked == []


def test_two_processes_that_share_a_folder_fetch_once(
    source: Callable[[str], Source], shelf: type[Shelf], tmp_path: Path
) -> None:
    both = [fetch(lambda: source("/slow"), tmp_path / "base.pt") for _ in range(2)]
    for fetching in both:
        fetching.start()
    shelf.go.set()
    for fetching in both:
        fetching.wait(10)

    assert shelf.asked == ["/slow"]
    assert [fetching.reason() for fetching in both] == [None, None]


def test_a_folder_without_safetensors_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    assert missing_folder("TEXT_MODEL", "") == "TEXT_MODEL is not set"
    assert "there is no model in" in (missing_folder("TEXT_MODEL", str(tmp_path)) or "")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert "holds no weights as safetensors" in (missing_folder("TEXT_MODEL", str(tmp_path)) or "")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert missing_folder("TEXT_MODEL", str(tmp_path)) is None


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"two")

    assert one != fingerprint(tmp_path)
    assert len(one) == 8
