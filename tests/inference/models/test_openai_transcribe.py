"""Hearing by a service that may also fail and lie."""

import io
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.capabilities import EngineBroke, Segment
from inference.models.openai_transcribe import OpenAITranscribe
from inference.options import Options
from tests.support.openai_stub import OpenAIStub


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as stub:
        yield stub


@pytest.fixture
def model(options: Options, stub: OpenAIStub) -> OpenAITranscribe:
    return OpenAITranscribe(
        replace(
            options,
            openai_base_url=stub.base_url,
            transcribe_model="whisper-1",
            transcribe_micros_per_minute=6000,
            openai_timeout_seconds=10.0,
        )
    )


async def test_sound_goes_out_as_wav_and_segments_with_words_come_back(
    model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    heard: list[Segment] = []

    transcript = await model.transcribe(sound((2.0, 0.3)), None, heard.append)

    (sent,) = stub.received
    assert sent.body["model"] == "whisper-1"
    assert sent.body["response_format"] == "verbose_json"
    assert sent.body["timestamp_granularities"] == ["segment", "word"]
    assert "language" not in sent.body
    with wave.open(io.BytesIO(sent.files["file"])) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 16_000, 32_000)
    assert transcript.language == "en"
    (segment,) = transcript.segments
    assert heard == [segment]
    assert (segment.text, segment.start, segment.end) == ("The lighthouse is open.", 0.0, 1.5)
    assert segment.confidence == pytest.approx(0.82, abs=0.01)
    assert [word.text for word in segment.words] == ["The", "lighthouse"]
    (cost,) = transcript.costs
    assert (cost.units, cost.unit, cost.amount_micros) == (2.0, "second", 200)


async def test_long_sound_is_sent_in_pieces_and_times_go_on(
    model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    audio = sound((500.0, 0.3), (1.0, 0.0), (200.0, 0.3))

    transcript = await model.transcribe(audio, "de", print)

    assert len(stub.received) == 2
    assert all(len(sent.files["file"]) < 25_000_000 for sent in stub.received)
    assert [sent.body["language"] for sent in stub.received] == ["de", "de"]
    assert transcript.segments[0].start == 0.0
    assert transcript.segments[1].start == pytest.approx(500.5, abs=0.6)
    assert sum(cost.units for cost in transcript.costs) == pytest.approx(701.0)


async def test_silence_is_not_sent(
    model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    transcript = await model.transcribe(sound((5.0, 0.0)), None, print)

    assert (transcript.segments, transcript.costs, stub.received) == ((), (), [])


async def test_times_that_cannot_be_are_put_right_or_left_out(
    model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    stub.always = "lie"

    transcript = await model.transcribe(sound((2.0, 0.3)), None, print)

    assert [(segment.start, segment.end) for segment in transcript.segments] == [(0.0, 1.0), (0.5, 0.75)]


@pytest.mark.parametrize("behaviour", ["no times", "rubbish"])
async def test_an_answer_without_times_breaks_the_call_and_its_cost_is_kept(
    behaviour: str, model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    stub.always = behaviour

    with pytest.raises(EngineBroke, match="did not send segments with times") as caught:
        await model.transcribe(sound((2.0, 0.3)), None, print)

    assert [cost.amount_micros for cost in caught.value.costs] == [200]


async def test_a_failure_in_the_middle_keeps_the_cost_of_what_was_heard(
    model: OpenAITranscribe, stub: OpenAIStub, sound: Callable[..., Path]
) -> None:
    stub.plan.append("answer")
    stub.always = "401"

    with pytest.raises(EngineBroke, match="answered 401") as caught:
        await model.transcribe(sound((500.0, 0.3), (1.0, 0.0), (200.0, 0.3)), None, print)

    assert len(caught.value.costs) == 1
    assert not caught.value.transient


def test_it_says_which_setting_is_missing(model: OpenAITranscribe) -> None:
    assert model.available() is None
    without = OpenAITranscribe(replace(model.options, transcribe_model=""))
    assert without.available() == "OPENAI_TRANSCRIBE_MODEL is not set"
