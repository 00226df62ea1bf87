"""What operators and load balancers ask: is it alive, can it serve, how is it doing?"""

import asyncio

import httpx2
import pytest

from tests.support.client import Client
from tests.support.running import ROOT, Running

pytestmark = pytest.mark.story


async def test_a_running_system_says_that_it_lives_serves_and_has_workers(system: Running) -> None:
    """T29."""
    async with httpx2.AsyncClient(base_url=system.url) as http:
        assert (await http.get("/healthz")).json() == {"ok": True}
        assert (await http.get("/readyz")).json() == {"ok": True}
        status = (await http.get("/status")).json()
    assert status["ready"] is status["postgres"] is status["redis"] is status["live"] is True
    assert status["workers"] == {"media": 1, "gpu": 1, "io": 1}
    assert status["relay_lag_seconds"] < 5


async def test_metrics_are_prometheus_text(system: Running) -> None:
    """T30, in part."""
    async with httpx2.AsyncClient(base_url=system.url) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert "vidura_ready 1.0" in lines
    assert 'vidura_workers{queue="gpu"} 1.0' in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


async def test_the_schema_is_served_as_it_is_committed(system: Running) -> None:
    """T6, in part."""
    async with httpx2.AsyncClient(base_url=system.url) as http:
        assert (await http.get("/schema.graphql")).text == (ROOT / "schema/schema.graphql").read_text()


async def test_what_is_not_there_is_refused_in_json(system: Running) -> None:
    async with httpx2.AsyncClient(base_url=system.url) as http:
        missing = await http.get("/nothing")
        wrong = await http.post("/healthz")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert wrong.json()["errors"]


async def test_graphiql_comes_from_this_host_alone(system: Running) -> None:
    async with httpx2.AsyncClient(base_url=system.url) as http:
        page = await http.get("/graphql", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "//" not in page.text.replace("<!doctype html>", "")
        script = await http.get("/graphiql/graphiql.js")
    assert script.status_code == 200


async def test_models_and_stages_are_listed_with_why_they_cannot_be_used(ada: Client) -> None:
    """D12 and B22, in part."""
    document = "{ models { name capability unavailableReason } stages { name available unavailableReason } }"
    reasons: dict[str, str | None] = {}
    # The inference host says what it has once it is up; its worker checks in every other second.
    async with asyncio.timeout(30):
        while "whisper:base" not in reasons:
            seen = await ada.ask(document)
            reasons = {model["name"]: model["unavailableReason"] for model in seen["models"]}
            await asyncio.sleep(0.1)
    assert "WHISPER_FETCH" in (reasons["whisper:base"] or "")
    assert reasons["fallback:hashing"] is None
    stages = {stage["name"]: stage for stage in seen["stages"]}
    assert stages["frames"]["available"]
    assert not stages["captions"]["available"]
    assert "transcribe" in stages["captions"]["unavailableReason"]
