"""Stages and models: what is here, and what is missing for the rest."""

from collections.abc import Sequence
from uuid import uuid4

from db import catalogue
from db.catalogue import Card, Definition, WorkerCard
from db.connection import Database
from db.models.fields import uuid7
from tests.support import make, rows
from tests.support.graphql import Api

STAGES = "{ stages { name queue after capabilities mediaKinds available unavailableReason } }"
MODELS = "{ models { id name version capability mediaKinds loaded available unavailableReason } }"


async def check_in(work: Database, stage: Definition, cards: Sequence[Card] = ()) -> None:
    """A worker comes with one stage and some models."""
    worker = WorkerCard(uuid7(), stage.queue, 2, "here", 1, 1)
    async with work.unit_of_work() as unit:
        await catalogue.check_in(unit, worker, [stage], cards)


def definition(*capabilities: str) -> Definition:
    return Definition(f"stage-{uuid4().hex}", f"queue-{uuid4().hex}", ("probe",), capabilities, ("VIDEO",))


def card(capability: str, reason: str | None = None) -> Card:
    return Card(f"model-{uuid4().hex}", "1", capability, ("VIDEO", "AUDIO"), "cpu", False, None, reason)


async def stage_of(api: Api, work: Database, name: str) -> dict[str, object]:
    """The stage as the API shows it."""
    stages = (await api(STAGES, await make.viewer(work)))["stages"]
    found: dict[str, object] = next(stage for stage in stages if stage["name"] == name)
    return found


async def test_a_stage_whose_worker_and_models_are_here_is_available(api: Api, work: Database) -> None:
    capability = uuid4().hex
    stage = definition(capability)
    await check_in(work, stage, [card(capability)])
    assert await stage_of(api, work, stage.name) == {
        "name": stage.name,
        "queue": stage.queue,
        "after": ["probe"],
        "capabilities": [capability],
        "mediaKinds": ["VIDEO"],
        "available": True,
        "unavailableReason": None,
    }


async def test_a_stage_without_a_model_says_why(api: Api, work: Database) -> None:
    capability = uuid4().hex
    stage = definition(capability)
    await check_in(work, stage)
    assert (await stage_of(api, work, stage.name))["unavailableReason"] == f"No model can {capability} now."
    await check_in(work, stage, [card(capability, "Weights are being fetched.")])
    shown = await stage_of(api, work, stage.name)
    assert shown["available"] is False
    assert shown["unavailableReason"] == f"No model can {capability} now: Weights are being fetched."


async def test_a_stage_without_a_worker_says_so(api: Api, work: Database) -> None:
    stage = definition()
    await check_in(work, stage)
    assert (await stage_of(api, work, stage.name))["available"] is True
    (worker,) = await rows.fetch(work, "select id from workers where queue = $1", stage.queue)
    async with work.unit_of_work() as unit:
        await unit.execute(
            "update workers set seen_at = now() - interval '1 minute' where id = $1", worker["id"]
        )
    shown = await stage_of(api, work, stage.name)
    assert shown["unavailableReason"] == f"No worker takes the {stage.queue} queue now."


async def test_models_tell_whether_they_can_be_used(api: Api, work: Database) -> None:
    good, bad = card("see"), card("see", "No weights.")
    await check_in(work, definition(), [good, bad])
    models = {model["name"]: model for model in (await api(MODELS, await make.viewer(work)))["models"]}
    assert models[good.name]["available"] is True
    assert models[good.name]["mediaKinds"] == ["VIDEO", "AUDIO"]
    assert (models[bad.name]["available"], models[bad.name]["unavailableReason"]) == (False, "No weights.")
    async with work.unit_of_work() as unit:
        await unit.execute(
            "update models set seen_at = now() - interval '1 minute' where name = $1", good.name
        )
    models = {model["name"]: model for model in (await api(MODELS, await make.viewer(work)))["models"]}
    assert models[good.name]["unavailableReason"] == "No worker has it now."
