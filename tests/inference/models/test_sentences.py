"""Vectors of texts by a real, if tiny, encoder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.calling import Capabilities
from inference.capabilities import FloatArray
from inference.options import Options
from tests.inference.conftest import asked
from tests.support.models import Checkpoints


async def vectors(capabilities: Capabilities, *texts: str, query: bool = False) -> FloatArray:
    return (await capabilities.embed_text(texts, query)).value.values


async def test_vectors_have_length_one_and_shared_words_bring_texts_near(tiny: Capabilities) -> None:
    dog, same, ship = await vectors(tiny, "the dog plays", "the old dog plays", "new ship near harbour")

    assert dog.dtype == np.float32
    assert np.linalg.norm(dog) == pytest.approx(1.0, abs=1e-5)
    assert dog @ same > dog @ ship + 0.2


async def test_padding_beside_a_longer_text_changes_nothing(tiny: Capabilities) -> None:
    beside, _ = await vectors(tiny, "the dog", "the old dog plays near the harbour")
    (alone,) = await vectors(tiny, "the dog")

    np.testing.assert_allclose(beside, alone, atol=1e-5)


async def test_a_text_longer_than_the_model_can_read_is_cut(tiny: Capabilities) -> None:
    assert (await vectors(tiny, "dog " * 5000)).shape == (1, 32)


async def test_pooling_and_prompts_for_queries_are_taken_from_the_folder(
    tiny: Capabilities, options: Options, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    own = shutil.copytree(checkpoints.text, tmp_path / "own")
    (own / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "the sea "}}))
    (own / "1_Pooling").mkdir()
    (own / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    (mean,) = await vectors(tiny, "the sea dog")
    async with asked(replace(options, text_model=str(own))) as capabilities:
        (query,) = await vectors(capabilities, "dog", query=True)
        (spelled_out,) = await vectors(capabilities, "the sea dog")
        (passage,) = await vectors(capabilities, "dog")

    np.testing.assert_allclose(query, spelled_out, atol=1e-5)
    assert np.abs(query - passage).max() > 1e-4
    assert mean @ spelled_out < 0.99
