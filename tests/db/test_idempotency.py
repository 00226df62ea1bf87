"""Idempotency keys: one transaction takes a key, all others get its answer."""

import asyncio
from dataclasses import replace

import pytest

from db import idempotency
from db.connection import Database, Viewer
from db.errors import IdempotencyMismatch
from db.idempotency import Place
from db.models.fields import uuid7
from tests.support import make


@pytest.fixture
async def ada(work: Database) -> Viewer:
    """Whoever calls."""
    return await make.viewer(work)


def place(viewer: Viewer, key: str = "k") -> Place:
    return Place(viewer.workspace_id, "analyze", key, "digest")


async def test_the_first_takes_the_key_and_its_answer_is_kept(app: Database, ada: Viewer) -> None:
    run_id = uuid7()
    async with app.unit_of_work(ada) as unit:
        assert await idempotency.claim(unit, place(ada)) is None
        await idempotency.keep(unit, place(ada), {"run": run_id, "errors": []})
    async with app.unit_of_work(ada) as unit:
        assert await idempotency.claim(unit, place(ada)) == {"run": str(run_id), "errors": []}
        assert await idempotency.claim(unit, place(ada, "other")) is None


async def test_other_arguments_are_refused(app: Database, ada: Viewer) -> None:
    async with app.unit_of_work(ada) as unit:
        await idempotency.claim(unit, place(ada))
        with pytest.raises(IdempotencyMismatch):
            await idempotency.claim(unit, replace(place(ada), digest="another"))


async def test_whoever_comes_second_waits_and_gets_the_answer(app: Database, ada: Viewer) -> None:
    waiting, taken = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with app.unit_of_work(ada) as unit:
            assert await idempotency.claim(unit, place(ada)) is None
            taken.set()
            await waiting.wait()
            await idempotency.keep(unit, place(ada), {"n": 1})

    async def second() -> object:
        async with app.unit_of_work(ada) as unit:
            return await idempotency.claim(unit, place(ada))

    one = asyncio.create_task(first())
    await taken.wait()
    two = asyncio.create_task(second())
    assert not (await asyncio.wait([two], timeout=0.2))[0]
    waiting.set()
    assert await two == {"n": 1}
    await one


async def test_a_key_that_was_rolled_back_is_free_again(app: Database, ada: Viewer) -> None:
    with pytest.raises(RuntimeError):
        async with app.unit_of_work(ada) as unit:
            await idempotency.claim(unit, place(ada))
            raise RuntimeError
    async with app.unit_of_work(ada) as unit:
        assert await idempotency.claim(unit, place(ada)) is None
