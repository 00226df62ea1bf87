"""Which model answers when a stage asks for a capability."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.calling import Capabilities
from inference.capabilities import EngineBroke, FloatArray, Unavailable
from inference.host import Host
from inference.options import Options
from tests.inference.conftest import Gate, asked, picture, started
from tests.inference.test_host import embed
from tests.support.openai_stub import OpenAIStub


async def test_without_weights_texts_get_vectors_of_a_labelled_fallback(options: Options) -> None:
    async with asked(options) as capabilities:
        answer = await capabilities.embed_text(["a dog", "a ship"])

    assert answer.engine == "fallback:hashing@1"
    assert answer.value.values.shape == (2, 384)


async def test_with_weights_the_model_is_preferred_to_the_fallback(tiny: Capabilities) -> None:
    answer = await tiny.embed_text(["a dog", "a ship"])
    chosen = await tiny.embed_text(["a dog"], model="fallback:hashing")

    assert answer.model == "sentences:tiny-text"
    assert answer.costs == ()
    assert chosen.model == "fallback:hashing"
    assert [card.key for card in tiny.choices("embed_text")] == ["sentences", "hashing"]


async def test_when_nothing_can_do_it_every_model_says_why_not(options: Options) -> None:
    async with asked(options) as capabilities:
        with pytest.raises(Unavailable) as transcribe:
            await capabilities.transcribe(Path("x.wav"), None, print)
        with pytest.raises(Unavailable) as label:
            await capabilities.label_image([picture((1, 2, 3))])

    assert transcribe.value.reason == (
        "No model for transcribe (openai-transcribe: OPENAI_BASE_URL is not set; "
        "whisper:base: whisper model 'base' is not here and fetching is switched off (WHISPER_FETCH))."
    )
    assert label.value.reason == "No model for label_image (clip: VISION_MODEL is not set)."


async def test_a_worker_without_a_host_says_so_and_still_does_what_needs_none(options: Options) -> None:
    capabilities = Capabilities(options)

    with pytest.raises(Unavailable, match="clip: this worker has no inference host"):
        await capabilities.embed_image([picture((1, 2, 3))])
    assert (await capabilities.embed_text(["a"])).model == "fallback:hashing"


async def test_a_host_that_does_not_start_is_no_reason_for_a_fallback(
    options: Options, tmp_path: Path
) -> None:
    host = Host("cpu", options, start_seconds=0.1, root=tmp_path)
    try:
        with pytest.raises(EngineBroke, match="the inference host of cpu does not start") as caught:
            await Capabilities(options, [host]).embed_text(["a"])
    finally:
        await host.close()
    assert caught.value.transient


async def test_every_model_is_in_the_catalogue_with_its_figures(options: Options) -> None:
    async with asked(options) as capabilities:
        await capabilities.keyphrases("The harbour wall was broken by the storm.", "en")
        cards = {(card.name, card.capability): card for card in capabilities.describe_models()}

    assert len(cards) == 10
    yake = cards["yake", "keyphrases"]
    assert (yake.device, yake.calls, yake.available_reason) == (None, 1, None)
    assert yake.mean_seconds is not None
    clip = cards["clip", "label_image"]
    assert (clip.device, clip.loaded, clip.available_reason) == ("cpu", False, "VISION_MODEL is not set")


async def test_every_model_that_can_be_used_keeps_the_promise_of_its_capability(
    tiny: Capabilities, sound: Callable[..., Path]
) -> None:
    audio = sound((3.0, 0.3))
    images = [picture((220, 30, 30)), picture((30, 40, 220))]
    texts = ["the dog plays", "a ship", ""]
    for card in tiny.describe_models():
        if card.available_reason:
            continue
        name = card.name
        if card.capability == "transcribe":
            heard = (await tiny.transcribe(audio, None, lambda _: None, name)).value.segments
            assert all(0 <= segment.start <= segment.end <= 3.0 for segment in heard)
        elif card.capability == "describe":
            assert (await tiny.describe(images, "The harbour wall broke.", None, name)).value.text.strip()
        elif card.capability == "keyphrases":
            phrases = (await tiny.keyphrases("The harbour wall broke in the storm.", "en", name)).value.labels
            assert all(label.name.strip() and 0 < label.confidence <= 1 for label in phrases)
        elif card.capability == "label_image":
            labels = (await tiny.label_image(images, name)).value.labels
            assert all(0 < label.confidence <= 1 for label in labels)
        elif card.capability == "embed_image":
            assert_vectors((await tiny.embed_image(images, name)).value.values, 2)
        elif card.capability == "embed_text":
            assert_vectors((await tiny.embed_text(texts, model=name)).value.values, 3)
        else:
            assert card.capability == "embed_visual_text"
            assert_vectors((await tiny.embed_visual_text(texts, name)).value.values, 3)


def assert_vectors(values: FloatArray, count: int) -> None:
    assert values.shape[0] == count
    assert values.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-5)


async def test_only_models_for_the_kind_of_media_are_offered(options: Options) -> None:
    async with asked(options) as capabilities:
        assert [card.key for card in capabilities.choices("transcribe", "AUDIO")] == [
            "openai-transcribe",
            "whisper",
        ]
        assert capabilities.choices("transcribe", "IMAGE") == []
        assert capabilities.choices("label_image", "AUDIO") == []


async def test_an_api_is_preferred_where_one_is_set_up(options: Options) -> None:
    with OpenAIStub() as stub:
        capabilities = Capabilities(replace(options, openai_base_url=stub.base_url))
        answer = await capabilities.describe([], "The wall broke.", "Storm")
    without = await Capabilities(options).describe([], "The wall broke.", "Storm")

    assert answer.engine == "openai-chat:gpt-4o-mini@1"
    assert without.engine == "fallback:extractive@1"


async def test_a_provider_that_breaks_is_not_replaced_by_a_fallback(options: Options) -> None:
    with OpenAIStub() as stub:
        stub.always = "500"
        capabilities = Capabilities(replace(options, openai_base_url=stub.base_url))
        with pytest.raises(EngineBroke):
            await capabilities.describe([], "The wall broke.", "Storm")


async def test_asking_for_nothing_is_a_mistake(options: Options) -> None:
    with pytest.raises(ValueError, match="at least one item"):
        await Capabilities(options).embed_text([])


async def test_of_two_hosts_the_one_with_less_to_do_answers(
    options: Options, checkout: Path, gate: Gate
) -> None:
    both = [Host("cpu", options, root=checkout) for _ in range(2)]
    async with started(both[0]), started(both[1]):
        held = embed(both[0], str(gate))
        await gate.reached()
        answers = [await Capabilities(options, both).embed_text(["free?"]) for _ in range(2)]
        gate.open()
        await held

    assert [answer.value.values[0].tolist() for answer in answers] == [[1, 1], [1, 2]]


async def test_segments_come_back_in_order_and_before_the_answer(
    tiny: Capabilities, sound: Callable[..., Path]
) -> None:
    heard: list[float] = []
    audio = sound((24.0, 0.3), (1.0, 0.0), (24.0, 0.3))
    answer = await tiny.transcribe(audio, None, lambda segment: heard.append(segment.start))

    assert heard == [segment.start for segment in answer.value.segments]
    assert len(heard) == 2
    assert np.all(np.diff(heard) > 0)
