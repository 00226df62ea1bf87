"""Descriptions by a service that may also fail, hang and lie."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inference.capabilities import EngineBroke
from inference.models.openai_describe import MOST_IMAGES, OpenAIDescribe
from inference.options import Options
from tests.inference.conftest import picture
from tests.support.openai_stub import OpenAIStub


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as stub:
        yield stub


@pytest.fixture
def model(options: Options, stub: OpenAIStub) -> OpenAIDescribe:
    return OpenAIDescribe(
        replace(
            options,
            openai_base_url=stub.base_url,
            openai_api_key="sk-test",
            openai_timeout_seconds=5.0,
            chat_prompt_micros_per_1k=150,
            chat_answer_micros_per_1k=601,
        )
    )


async def failure(model: OpenAIDescribe) -> EngineBroke:
    with pytest.raises(EngineBroke) as caught:
        await model.describe([], "The wall broke.", None)
    return caught.value


async def test_frames_and_words_go_out_in_one_message_and_a_description_comes_back(
    model: OpenAIDescribe, stub: OpenAIStub
) -> None:
    frames = [picture((n, n, n)) for n in range(20)]

    described = await model.describe(frames, "The wall broke.", "Storm")

    assert described.text == stub.description
    (sent,) = stub.received
    assert sent.authorization == "Bearer sk-test"
    assert sent.body["model"] == "gpt-4o-mini"
    assert sent.body["response_format"]["json_schema"]["schema"]["required"] == ["description"]
    text, *pictures = sent.body["messages"][1]["content"]
    assert "Storm" in text["text"]
    assert "The wall broke." in text["text"]
    urls = [part["image_url"]["url"] for part in pictures]
    assert len(urls) == MOST_IMAGES
    assert urls[0] == f"data:image/jpeg;base64,{base64.b64encode(frames[0]).decode()}"
    assert len(set(urls)) == MOST_IMAGES


async def test_tokens_are_priced_and_rounded_up(model: OpenAIDescribe) -> None:
    (cost,) = (await model.describe([], "words", None)).costs

    assert (cost.service, cost.units, cost.unit) == ("openai-chat", 1550, "token")
    assert cost.amount_micros == 256  # 1.5 · 150 + 0.05 · 601 = 255.05


@pytest.mark.parametrize(
    ("behaviour", "reason", "transient"),
    [
        ("500", "answered 500", True),
        ("429", "answered 429", True),
        ("401", "answered 401", False),
        ("break off", "cannot be reached", True),
        ("rubbish", "did not send a chat completion", True),
        ("lie", "did not describe it in the form asked for", True),
    ],
)
async def test_a_service_that_fails_breaks_the_call_with_a_reason(
    behaviour: str, reason: str, transient: bool, model: OpenAIDescribe, stub: OpenAIStub
) -> None:
    stub.always = behaviour

    error = await failure(model)

    assert error.reason.startswith(f"openai-chat {reason}")
    assert error.transient == transient
    assert "sk-test" not in error.reason


async def test_an_answer_that_is_of_no_use_was_still_paid_for(
    model: OpenAIDescribe, stub: OpenAIStub
) -> None:
    stub.always = "lie"

    assert [cost.amount_micros for cost in (await failure(model)).costs] == [256]


async def test_one_failure_is_tried_again_at_once(model: OpenAIDescribe, stub: OpenAIStub) -> None:
    stub.plan.append("500")

    assert (await model.describe([], "words", None)).text == stub.description
    assert len(stub.received) == 2


@pytest.mark.parametrize("behaviour", ["hang", "dribble"])
async def test_a_service_that_hangs_is_left_after_the_time_that_is_set(
    behaviour: str, model: OpenAIDescribe, stub: OpenAIStub
) -> None:
    stub.always = behaviour
    hasty = OpenAIDescribe(replace(model.options, openai_timeout_seconds=0.3))

    error = await failure(hasty)

    assert error.reason == "openai-chat did not answer within 0.3 s"
    assert error.transient


async def test_nobody_at_the_address_is_a_transient_failure(model: OpenAIDescribe) -> None:
    lost = OpenAIDescribe(replace(model.options, openai_base_url="http://127.0.0.1:9/v1"))

    error = await failure(lost)

    assert error.reason.startswith("openai-chat cannot be reached")
    assert error.transient


async def test_json_in_a_code_fence_is_read_and_an_endless_text_is_not(
    model: OpenAIDescribe, stub: OpenAIStub
) -> None:
    stub.content = '```json\n{"description": "A dog."}\n```'
    assert (await model.describe([], "words", None)).text == "A dog."

    stub.content = None
    stub.description = "word " * 2000
    assert "form asked for" in (await failure(model)).reason


def test_without_an_address_it_says_which_setting_is_missing(options: Options) -> None:
    assert OpenAIDescribe(options).available() == "OPENAI_BASE_URL is not set"
