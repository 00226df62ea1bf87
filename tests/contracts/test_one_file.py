"""Adding a model or a stage is adding one file: shown in a copy, with nothing else changed."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.support import media
from tests.support.client import Client
from tests.support.running import ROOT, running_system

pytestmark = pytest.mark.story

MODEL = '''
"""A model that finds one word in everything."""

from inference.capabilities import Label, Labels
from inference.registry import Model


class Parrot(Model):
    """Says its own name."""

    name = "parrot"
    version = "7"
    capabilities = ("keyphrases",)
    rank = 1

    def keyphrases(self, text: str, language: str | None) -> Labels:
        """One label, whatever the text."""
        return Labels((Label("parrot", 1.0),))
'''

STAGE = '''
"""Counts the letters of the title, and asks the best model there is for its word."""

from tasks.pipeline import Media, Result, Work, minutes, stage


@stage(queue="io", after=("frames",), capabilities=("keyphrases",), timeout=minutes(1))
async def letters(work: Work, media: Media) -> Result:
    """Leaves a number and a word."""
    answer = await work.models.keyphrases(media.title or "", None)
    word = answer.value.labels[0].name
    return Result({"letters": len(media.title or ""), "word": word}, engine=answer.engine)
'''

ASK = """
query($id: ID!) {
  stages { name queue after capabilities available }
  models { name version capability }
  video(id: $id) {
    status tags { tag { name } source } latestRun { stages { name status engine } }
  }
}"""


async def test_a_model_file_and_a_stage_file_work_with_nothing_else_changed(tmp_path: Path) -> None:
    """D10."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "docs", "tests", "node_modules"))
    (copy / "inference/models/parrot.py").write_text(MODEL)
    (copy / "tasks/stages/letters.py").write_text(STAGE)
    with running_system(tmp_path / "home", copy) as system:
        ada = await Client.registered(system.url)
        upload = await ada.create_upload(media.video(tmp_path), title="Parrots")
        await ada.complete(upload)
        await asyncio.wait_for(ada.watch_to_end(upload.media_id, after="0"), 60)
        seen = await ada.ask(ASK, id=upload.media_id)
        await ada.close()
    assert seen["video"]["status"] == "ANALYZED"
    stages = {stage["name"]: stage for stage in seen["video"]["latestRun"]["stages"]}
    assert stages["letters"] == {"name": "letters", "status": "DONE", "engine": "parrot@7"}
    assert {tag["tag"]["name"] for tag in seen["video"]["tags"]} == {"parrot"}
    assert {"name": "parrot", "version": "7", "capability": "keyphrases"} in seen["models"]
    (declared,) = [stage for stage in seen["stages"] if stage["name"] == "letters"]
    assert declared == {
        "name": "letters",
        "queue": "io",
        "after": ["probe", "frames"],
        "capabilities": ["keyphrases"],
        "available": True,
    }
