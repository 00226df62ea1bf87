"""What stage files declare, and what of it a run needs."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import pipeline
from tasks.pipeline import BadStage, Stage, before, discover, wanted

ROOT = Path(__file__).parents[2]


def test_every_stage_file_declares_the_stage_it_is_named_after() -> None:
    files = {path.stem for path in (ROOT / "tasks/stages").glob("*.py")} - {"__init__"}
    assert set(discover()) == files >= {"probe", "frames", "captions"}


def test_every_stage_comes_after_probe() -> None:
    stages = discover()
    assert all("probe" in before(stages, name) for name in stages if name != "probe")


def test_asking_for_a_stage_brings_all_it_rests_on_and_nothing_else() -> None:
    chosen = {stage.name for stage in wanted(discover(), ["thumbnail"], "VIDEO")}
    assert chosen == {"frames", "thumbnail"}


def test_stages_that_do_not_take_a_kind_of_media_are_left_out() -> None:
    stages = discover()
    assert {"audio", "captions"}.isdisjoint(stage.name for stage in wanted(stages, None, "IMAGE"))
    assert {"frames", "thumbnail"}.isdisjoint(stage.name for stage in wanted(stages, None, "AUDIO"))


def variant(name: str, **changes: object) -> dict[str, Stage]:
    """The real stages with one of them changed."""
    stages = discover()
    return stages | {name: replace(stages[name], **changes)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stages", "complaint"),
    [
        (variant("audio", queue="dream"), "no queue 'dream'"),
        (variant("audio", after=("probe", "nothing")), "which does not exist"),
        (variant("audio", after=("captions",)), "comes after itself"),
    ],
)
def test_a_graph_that_cannot_work_stops_the_boot(stages: dict[str, Stage], complaint: str) -> None:
    with pytest.raises(BadStage, match=complaint):
        pipeline._check(stages)


def test_a_file_with_another_name_than_its_stage_stops_the_boot(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", ".vidura", "static"))
    shutil.copy(copy / "tasks/stages/audio.py", copy / "tasks/stages/sound.py")
    done = subprocess.run(
        [sys.executable, "-c", "from tasks.pipeline import discover; discover()"],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "must declare one stage, named 'sound'" in done.stderr
