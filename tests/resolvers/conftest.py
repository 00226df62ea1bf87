"""The API that these tests ask."""

from pathlib import Path

import pytest

from db.connection import Database
from db.embedded import Urls
from tests.support.graphql import Api


@pytest.fixture
def api(app: Database, services: Urls, tmp_path: Path) -> Api:
    """The schema as the web serves it in development, with a store of the test's own."""
    return Api(app, tmp_path, services.redis)
