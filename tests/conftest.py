"""What every test may ask for: embedded services for the session, a migrated database, one pool per role."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from db.connection import Database
from db.embedded import Urls, embedded_services
from db.migrate import migrate, set_role_password
from settings import as_role


def pytest_configure() -> None:
    """A shell that starts the tests in the background makes them, and all they start, deaf to these."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """Postgres and Redis of this test session."""
    home: Path = tmp_path_factory.mktemp("services")
    with embedded_services(home) as urls:
        yield urls


@pytest_asyncio.fixture
async def empty_database(services: Urls) -> AsyncIterator[str]:
    """The owner's URL of a fresh database with pgvector and no tables."""
    superuser = services.superuser
    name = f"test_{uuid4().hex[:12]}"
    server = await asyncpg.connect(superuser)
    await server.execute(f"create database {name} owner vidura_owner")
    within = await asyncpg.connect(superuser.rsplit("/", 1)[0] + f"/{name}")
    await within.execute("create extension vector")
    await within.close()
    yield services.database.rsplit("/", 1)[0] + f"/{name}"
    await server.execute(f"drop database {name} with (force)")
    await server.close()


@pytest_asyncio.fixture(scope="session")
async def owner_url(services: Urls) -> str:
    """The session's own database, migrated."""
    await migrate(services.database)
    for role in ("vidura_app", "vidura_work"):
        await set_role_password(services.database, as_role(services.database, role))
    return services.database


@pytest_asyncio.fixture(scope="session")
async def app(owner_url: str) -> AsyncIterator[Database]:
    """The web's eyes: row-level security applies."""
    database = await Database.open(as_role(owner_url, "vidura_app"), size=20)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session")
async def work(owner_url: str) -> AsyncIterator[Database]:
    """The workers' eyes: everything."""
    database = await Database.open(as_role(owner_url, "vidura_work"), size=20)
    yield database
    await database.close()
