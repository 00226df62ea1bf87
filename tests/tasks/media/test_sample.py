"""The demonstration video is a real one, and everything in it can be read back."""

import time
from pathlib import Path

import pytest

from tasks.media.frames import choose_thumbnail
from tasks.media.jobs import run_audio, run_frames, run_probe, run_subtitles
from tasks.media.limits import Limits
from tasks.media.sample import make_sample
from tasks.media.subtitles import Cue


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Cue]]:
    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    return path, make_sample(path, 12.0)


async def test_its_metadata_can_be_read_back(sample: tuple[Path, list[Cue]], limits: Limits) -> None:
    found = await run_probe(sample[0], limits)

    assert (found.width, found.height, found.rotation) == (1280, 720, 0)
    assert (found.video_codec, found.audio_codec) == ("h264", "aac")
    assert (found.latitude, found.longitude) == (68.2342, 14.5683)
    assert found.created_at == "2025-11-14T17:30:00.000Z"
    assert found.duration_seconds == pytest.approx(12, abs=2.5)


async def test_its_subtitles_are_what_is_spoken(sample: tuple[Path, list[Cue]], limits: Limits) -> None:
    path, cues = sample

    found = await run_subtitles(path, limits)

    assert [cue.text for cue in found.cues] == [cue.text for cue in cues]
    assert [cue.start for cue in found.cues] == pytest.approx([cue.start for cue in cues], abs=0.002)


async def test_it_speaks_while_a_cue_is_shown(
    sample: tuple[Path, list[Cue]], tmp_path: Path, limits: Limits
) -> None:
    found = await run_audio(sample[0], tmp_path / "audio.wav", limits)

    assert found.peak > 0.3


async def test_its_scenes_are_told_apart_and_its_black_start_is_not_the_thumbnail(
    sample: tuple[Path, list[Cue]], tmp_path: Path, limits: Limits
) -> None:
    path, cues = sample

    found = await run_frames(path, tmp_path, limits)

    assert len(found.shots) == len(cues) + 1
    assert [key.shot for key in found.key_frames] == list(range(len(found.shots)))
    assert found.key_frames[0].black
    chosen = choose_thumbnail(found)
    assert chosen is not None
    assert chosen > 0


def test_it_is_made_quickly(tmp_path: Path) -> None:
    begun = time.monotonic()

    make_sample(tmp_path / "short.mp4", 4.0)

    assert time.monotonic() - begun < 10
