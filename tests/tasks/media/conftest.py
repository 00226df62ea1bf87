"""A folder of real media and ordinary limits, for the tests of this room."""

from pathlib import Path

import pytest

from tasks.media.limits import Limits


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests/support/media.py keeps what it made in this session."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def limits() -> Limits:
    """What a stage would allow."""
    return Limits(deadline_seconds=60)
