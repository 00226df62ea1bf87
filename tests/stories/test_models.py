"""With models and a provider at hand: speech is heard, pictures are seen, and failures stay small."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import media, models
from tests.support.client import Client
from tests.support.openai_stub import OpenAIStub
from tests.support.running import ROOT, Running, running_system

pytestmark = pytest.mark.story

WHOLE = """
query($id: ID!) {
  models { name capability loaded device unavailableReason }
  video(id: $id) {
    status aiDescription
    captions { nodes { text source language words { text startTime endTime } } }
    tags { tag { name } source }
    latestRun { costMicros stages { name status engine reason errorCode attempt } }
  }
}"""


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIStub]:
    """A provider of chat completions."""
    with OpenAIStub("Four coloured shots, and a voice that speaks of a lighthouse.") as stub:
        yield stub


@pytest.fixture(scope="module")
def equipped(tmp_path_factory: pytest.TempPathFactory, provider: OpenAIStub) -> Iterator[Running]:
    """A system with tiny weights for every capability and the provider for descriptions."""
    weights = models.made(tmp_path_factory.mktemp("weights"))
    settings = {
        "WHISPER_MODEL": str(weights.whisper),
        "VISION_MODEL": str(weights.clip),
        "TEXT_MODEL": str(weights.text),
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": "key-of-a-test",
        "OPENAI_PROMPT_MICROS_PER_1K": "150",
        "OPENAI_ANSWER_MICROS_PER_1K": "600",
        "OPENAI_TIMEOUT_SECONDS": "3",
    }
    with running_system(tmp_path_factory.mktemp("equipped") / "home", ROOT, **settings) as running:
        yield running


async def analysed(system: Running, file: Path) -> dict[str, Any]:
    """What became of a file."""
    ada = await Client.registered(system.url)
    upload = await ada.create_upload(file, title="A lighthouse")
    await ada.complete(upload)
    await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 90)
    seen = await ada.ask(WHOLE, id=upload.media_id)
    await ada.close()
    return seen


def stages_of(seen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The stages of the latest run, by name."""
    return {stage["name"]: stage for stage in seen["video"]["latestRun"]["stages"]}


async def test_speech_is_heard_and_pictures_are_seen_by_models(
    equipped: Running, provider: OpenAIStub, tmp_path: Path
) -> None:
    """T17, T16, T18, S5, S11, R3."""
    provider.always = "answer"
    seen = await analysed(equipped, media.video(tmp_path, sound="The lighthouse is open."))
    stages = stages_of(seen)
    assert seen["video"]["status"] == "ANALYZED", stages
    assert {stage["status"] for stage in stages.values()} == {"DONE"}
    (caption,) = seen["video"]["captions"]["nodes"]
    assert caption["text"] == "The lighthouse is open."
    assert caption["words"]
    assert stages["captions"]["engine"].startswith("whisper:")
    assert seen["video"]["aiDescription"] == provider.description
    assert not stages["describe"]["engine"].startswith("fallback:")
    assert seen["video"]["latestRun"]["costMicros"] > 0
    assert "fallback" not in stages["embed"]["engine"]
    assert stages["embed"]["engine"].count("@") == 2, "texts and pictures"


async def test_the_catalogue_tells_which_models_are_loaded(equipped: Running) -> None:
    ada = await Client.registered(equipped.url)
    loaded: set[str] = set()
    # Workers check in every other second.
    async with asyncio.timeout(30):
        while not loaded >= {"whisper", "clip", "sentences"}:
            models = (await ada.ask("{ models { name loaded } }"))["models"]
            loaded = {model["name"].split(":")[0] for model in models if model["loaded"]}
            await asyncio.sleep(0.1)
    await ada.close()


@pytest.mark.parametrize("misbehaviour", ["500", "hang", "rubbish", "lie"])
async def test_a_provider_that_misbehaves_costs_only_the_description(
    equipped: Running, provider: OpenAIStub, tmp_path: Path, misbehaviour: str
) -> None:
    """T24, R22: one stage fails, with a reason; the rest goes on."""
    provider.always = misbehaviour
    seen = await analysed(equipped, media.video(tmp_path, sound=None))
    stages = stages_of(seen)
    assert seen["video"]["status"] == "PARTIALLY_ANALYZED", stages
    assert stages["describe"]["status"] == "FAILED"
    assert len(stages["describe"]["reason"]) > 20
    assert "key-of-a-test" not in stages["describe"]["reason"]
    assert stages["audio"]["status"] == stages["captions"]["status"] == "SKIPPED"
    assert stages["audio"]["reason"]
    assert stages["thumbnail"]["status"] == stages["embed"]["status"] == "DONE"
