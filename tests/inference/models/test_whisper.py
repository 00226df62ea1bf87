"""Hearing speech by a real, if tiny, whisper checkpoint."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inference.calling import Capabilities
from inference.capabilities import EngineBroke, Segment, Unavailable
from inference.host import Host
from inference.models.whisper import Whisper
from inference.options import Options
from tests.inference.conftest import asked, started
from tests.support.models import SAYS, Checkpoints


async def test_speech_becomes_segments_with_words_and_times(
    tiny: Capabilities, sound: Callable[..., Path]
) -> None:
    heard: list[Segment] = []
    answer = await tiny.transcribe(sound((3.0, 0.3)), None, heard.append)

    transcript = answer.value
    assert answer.engine == "whisper:tiny-whisper@20250625"
    assert transcript.language == "en"
    assert [segment.text for segment in transcript.segments] == [SAYS]
    (segment,) = heard
    assert segment == transcript.segments[0]
    assert 0.0 <= segment.start < segment.end <= 3.0
    assert " ".join(word.text for word in segment.words) == SAYS
    assert segment.confidence is not None
    assert 0.9 < segment.confidence <= 1.0
    times = [time for word in segment.words for time in (word.start, word.end)]
    assert times == sorted(times)


async def test_silence_has_no_words_and_times_are_those_of_the_whole_recording(
    tiny: Capabilities, sound: Callable[..., Path]
) -> None:
    audio = sound((40.0, 0.0), (4.0, 0.3))
    loud = await tiny.transcribe(audio, "en", print)
    silent = await tiny.transcribe(sound((10.0, 0.0)), None, print)

    assert loud.value.segments[0].start >= 20.0
    assert loud.value.segments[-1].end <= 44.0
    assert silent.value.segments == ()
    assert silent.value.language is None


async def test_a_language_whisper_does_not_know_is_detected_instead(
    tiny: Capabilities, sound: Callable[..., Path]
) -> None:
    answer = await tiny.transcribe(sound((3.0, 0.3)), "xx", print)

    assert answer.value.language == "en"


async def test_a_loop_is_not_taken_for_speech(
    options: Options, checkpoints: Checkpoints, sound: Callable[..., Path]
) -> None:
    async with asked(replace(options, whisper_model=str(checkpoints.looping))) as capabilities:
        answer = await capabilities.transcribe(sound((3.0, 0.3)), "en", print)

    assert answer.value.segments == ()


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._path), "w")


async def test_a_checkpoint_that_carries_code_is_refused_and_its_code_not_run(
    options: Options, tmp_path: Path, sound: Callable[..., Path]
) -> None:
    checkpoint, trace = tmp_path / "evil.pt", tmp_path / "was-here"
    checkpoint.write_bytes(pickle.dumps({"dims": Payload(trace), "model_state_dict": {}}))

    async with asked(replace(options, whisper_model=str(checkpoint))) as capabilities:
        with pytest.raises(EngineBroke, match="whisper:evil could not be loaded"):
            await capabilities.transcribe(sound((3.0, 0.3)), None, print)

    assert not trace.exists()


async def test_what_is_no_sound_breaks_the_call_and_not_the_host(
    tiny: Capabilities, tmp_path: Path, sound: Callable[..., Path]
) -> None:
    (tmp_path / "not.wav").write_bytes(b"RIFFnothing")

    with pytest.raises(EngineBroke, match="whisper:tiny-whisper: Error: not a WAVE file") as caught:
        await tiny.transcribe(tmp_path / "not.wav", None, print)

    assert not caught.value.transient
    assert (await tiny.transcribe(sound((3.0, 0.3)), None, print)).value.segments[0].text == SAYS


@pytest.mark.parametrize(
    ("setting", "fetch", "reason"),
    [
        ("base", False, "whisper model 'base' is not here and fetching is switched off (WHISPER_FETCH)"),
        ("base", True, "whisper model 'base' is still being fetched"),
        ("/nowhere/mine.pt", True, "WHISPER_MODEL: there is no file /nowhere/mine.pt"),
        ("", True, "WHISPER_MODEL is empty"),
    ],
)
def test_the_reason_tells_what_to_do(setting: str, fetch: bool, reason: str, options: Options) -> None:
    model = Whisper(replace(options, whisper_model=setting, whisper_fetch=fetch))

    assert model.available() == reason


async def test_a_name_that_does_not_exist_is_answered_with_those_that_do(options: Options) -> None:
    async with started(Host("cpu", replace(options, whisper_model="bse", whisper_fetch=True))) as host:
        while True:
            with pytest.raises(Unavailable) as caught:
                await host.call("whisper", "transcribe", {"audio": "x", "language": None}, 30.0)
            if "still being fetched" not in caught.value.reason:
                break

    assert "there is no whisper model 'bse'; there are tiny.en, tiny, base.en" in caught.value.reason


async def test_a_fetched_checkpoint_is_loaded_as_soon_as_it_is_there(
    options: Options, checkpoints: Checkpoints, sound: Callable[..., Path]
) -> None:
    async with asked(replace(options, whisper_model="own")) as capabilities:
        with pytest.raises(Unavailable):
            await capabilities.transcribe(sound((3.0, 0.3)), None, print)
        options.weights.mkdir()
        (options.weights / "whisper-own.pt").symlink_to(checkpoints.whisper)
        while not any(card.loaded for card in capabilities.choices("transcribe") if card.key == "whisper"):
            await capabilities.embed_text(["time passes"])
        answer = await capabilities.transcribe(sound((3.0, 0.3)), None, print)

    assert answer.engine == "whisper:own@20250625"
