"""Pictures and words in one space, by tiny models of both families that have learned four colours."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.calling import Capabilities
from inference.capabilities import EngineBroke, Unavailable
from inference.options import Options
from tests.inference.conftest import asked, picture
from tests.support.models import COLOURS, Checkpoints


@pytest.fixture(params=["tiny", "tiny_siglip"])
def seeing(request: pytest.FixtureRequest, tiny: Capabilities, tiny_siglip: Capabilities) -> Capabilities:
    """Both families, one after the other."""
    return {"tiny": tiny, "tiny_siglip": tiny_siglip}[request.param]


async def test_a_picture_gets_the_label_of_what_it_shows(seeing: Capabilities) -> None:
    for name, colour in COLOURS.items():
        answer = await seeing.label_image([picture(colour), picture(colour, 80, 80)])
        assert [label.name for label in answer.value.labels] == [name]

    assert answer.model in ("clip:tiny-clip", "clip:tiny-siglip")
    assert len(answer.version) == 8


async def test_what_only_one_of_many_frames_shows_is_no_label(seeing: Capabilities) -> None:
    red, blue = picture(COLOURS["red"]), picture(COLOURS["blue"])
    labels = (await seeing.label_image([red, red, red, blue])).value.labels

    assert [label.name for label in labels] == ["red"]
    assert labels[0].confidence == pytest.approx(0.75, abs=0.1)


async def test_pictures_are_near_the_words_for_them(seeing: Capabilities) -> None:
    pictures = await seeing.embed_image([picture(colour) for colour in COLOURS.values()])
    words = await seeing.embed_visual_text([f"a photo of {name}" for name in COLOURS])

    assert (pictures.model, pictures.version) == (words.model, words.version)
    assert pictures.value.values.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(pictures.value.values, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(words.value.values, axis=1), 1.0, atol=1e-5)
    assert list((pictures.value.values @ words.value.values.T).argmax(axis=1)) == [0, 1, 2, 3]


async def test_siglip_reads_words_in_lower_case(tiny_siglip: Capabilities) -> None:
    shouted, plain = (await tiny_siglip.embed_visual_text(["A PHOTO OF RED", "a photo of red"])).value.values

    np.testing.assert_allclose(shouted, plain, atol=1e-5)


async def test_vectors_do_not_depend_on_what_else_is_in_the_batch(seeing: Capabilities) -> None:
    colours = [picture(colour) for colour in COLOURS.values()]
    together = (await seeing.embed_image(colours * 10)).value.values
    alone = (await seeing.embed_image([colours[2]])).value.values

    np.testing.assert_allclose(together[2], alone[0], atol=1e-5)
    np.testing.assert_allclose(together[38], alone[0], atol=1e-5)


async def test_the_shipped_labels_are_used_where_the_model_brings_none(
    options: Options, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    bare = shutil.copytree(checkpoints.siglip, tmp_path / "bare")
    (bare / "labels.txt").unlink()
    async with asked(replace(options, vision_model=str(bare))) as capabilities:
        answer = await capabilities.label_image([picture(COLOURS["red"])])

    assert len(answer.value.labels) <= 12


async def test_a_picture_that_cannot_be_read_is_named(tiny: Capabilities) -> None:
    with pytest.raises(EngineBroke, match="picture 1 cannot be decoded"):
        await tiny.embed_image([picture((1, 2, 3)), b"rubbish"])


async def test_pickled_weights_are_not_even_opened(
    options: Options, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoints.clip, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    async with asked(replace(options, vision_model=str(folder))) as capabilities:
        with pytest.raises(Unavailable, match="holds no weights as safetensors"):
            await capabilities.embed_image([picture((1, 2, 3))])


async def test_torn_weights_break_the_engine_and_say_so(
    options: Options, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoints.clip, tmp_path / "torn")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    async with asked(replace(options, vision_model=str(folder))) as capabilities:
        with pytest.raises(EngineBroke, match="clip:torn could not be loaded"):
            await capabilities.embed_image([picture((1, 2, 3))])


async def test_a_model_of_another_family_is_refused(options: Options, checkpoints: Checkpoints) -> None:
    async with asked(replace(options, vision_model=str(checkpoints.text))) as capabilities:
        with pytest.raises(Unavailable, match="a 'bert' model; only clip and siglip are known"):
            await capabilities.embed_image([picture((1, 2, 3))])
