"""What tests of models ask for: tiny checkpoints, sound and pictures, and a checkout with one more model."""

import asyncio
import os
import shutil
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytest_asyncio

from inference.calling import Capabilities
from inference.host import ROOT, Host
from inference.options import Options
from inference.speech import RATE
from tests.support.models import Checkpoints, made

TRIAL = '''
"""A text model for tests: says how many texts it got at once, and does what the texts tell it to."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.capabilities import Vectors
from inference.registry import Model


class Trial(Model):
    """Preferred to all others."""

    name = "trial"
    version = "7"
    capabilities = ("embed_text",)
    place = "host"
    rank = 1
    batch = 8

    def embed_text(self, texts: Sequence[str], query: bool) -> Vectors:
        """The first dimension is the size of the batch, the second its number."""
        self.runs = getattr(self, "runs", 0) + 1
        for text in texts:
            order, _, rest = text.partition(" ")
            if order == "wait-for":
                Path(rest).read_text()
            elif order == "fail":
                raise ValueError(rest)
            elif order == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif order == "swell":
                self.held = np.ones(int(rest), np.uint8)
        return Vectors(np.full((len(texts), 2), (len(texts), self.runs), np.float32))
'''


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Tiny models of every family, made once a session."""
    return made(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """No weights, no provider."""
    return Options(weights=tmp_path / "weights", whisper_model="base", whisper_fetch=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout's inference room with one file more: the trial model."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "inference", copy / "inference", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "inference" / "models" / "trial.py").write_text(TRIAL)
    return copy


class Gate:
    """Where the trial model stops when told to `wait-for` it: a pipe, so that each side sees the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.watched = False
        os.mkfifo(path)

    def __str__(self) -> str:
        return f"wait-for {self._path}"

    async def reached(self) -> None:
        """Returns once the model waits here."""
        self._writer = await asyncio.to_thread(self._path.open, "w")
        self.watched = True

    def open(self) -> None:
        """Lets the model go on."""
        self._writer.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """One gate, closed."""
    gate = Gate(tmp_path / "gate")
    yield gate
    if gate.watched:
        gate.open()


@asynccontextmanager
async def started(host: Host) -> AsyncIterator[Host]:
    """A host that has loaded what it can, and is ended afterwards."""
    host.start()
    try:
        assert await host.ready()
        yield host
    finally:
        await host.close()


@asynccontextmanager
async def asked(options: Options) -> AsyncIterator[Capabilities]:
    """Capabilities over one host with these options."""
    async with started(Host("cpu", options)) as host:
        yield Capabilities(options, [host])


@pytest_asyncio.fixture(scope="session")
async def tiny(checkpoints: Checkpoints) -> AsyncIterator[Capabilities]:
    """One host for all tests that only ask: whisper, CLIP and a text encoder, all tiny."""
    options = Options(
        checkpoints.folder,
        whisper_model=str(checkpoints.whisper),
        vision_model=str(checkpoints.clip),
        text_model=str(checkpoints.text),
    )
    async with asked(options) as capabilities:
        yield capabilities


@pytest_asyncio.fixture(scope="session")
async def tiny_siglip(checkpoints: Checkpoints) -> AsyncIterator[Capabilities]:
    """The same with the other family of vision models."""
    async with asked(Options(checkpoints.folder, vision_model=str(checkpoints.siglip))) as capabilities:
        yield capabilities


@pytest.fixture
def sound(tmp_path: Path) -> Callable[..., Path]:
    """Writes a WAV: a tone for each (seconds, loudness 0..1)."""

    def write(*stretches: tuple[float, float], rate: int = RATE, channels: int = 1) -> Path:
        parts = [
            loud * 32767 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
            for seconds, loud in stretches
        ]
        path = tmp_path / "sound.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(np.concatenate(parts).astype("<i2").tobytes())
        return path

    return write


def picture(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> bytes:
    """A JPEG of one colour (RGB)."""
    pixels = np.full((height, width, 3), colour[::-1], np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])
