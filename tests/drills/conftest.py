"""One running system for all drills: each must leave it as it found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import Running, running_system
from tests.support.sample import sample_video


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A system as `make run` starts it."""
    with running_system(tmp_path_factory.mktemp("drill") / "home", HEARTBEAT_SECONDS="1") as running:
        yield running


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's video."""
    return sample_video(tmp_path_factory.mktemp("sample") / "harbour.mp4")
