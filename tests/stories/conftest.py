"""One running system for all stories."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.client import Client
from tests.support.running import Running, running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A system as `make run` starts it."""
    with running_system(tmp_path_factory.mktemp("story") / "home", HEARTBEAT_SECONDS="1") as running:
        yield running


@pytest_asyncio.fixture
async def ada(system: Running) -> AsyncIterator[Client]:
    """A new user."""
    client = await Client.registered(system.url)
    yield client
    await client.close()


@pytest_asyncio.fixture
async def bob(system: Running) -> AsyncIterator[Client]:
    """Another one."""
    client = await Client.registered(system.url)
    yield client
    await client.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real video: scenes, speech, subtitles, a place and a time."""
    from tests.support.sample import sample_video

    return sample_video(tmp_path_factory.mktemp("sample") / "harbour.mp4")
