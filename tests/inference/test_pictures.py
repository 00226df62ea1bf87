"""Pictures as a vision model wants them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.pictures import Recipe
from tests.inference.conftest import picture

HALF = (0.5, 0.5, 0.5)


def test_colours_are_rgb_and_normalised() -> None:
    tensor = Recipe((8, 8), None, HALF, HALF).tensor([picture((255, 0, 0)), picture((0, 0, 255))])

    assert tensor.shape == (2, 3, 8, 8)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0].mean(axis=(1, 2)), [1, -1, -1], atol=0.03)
    np.testing.assert_allclose(tensor[1].mean(axis=(1, 2)), [-1, -1, 1], atol=0.03)


def test_a_centre_crop_keeps_the_middle_and_its_shape() -> None:
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 255
    wide = bytes(cv2.imencode(".png", pixels)[1])

    cropped = Recipe(20, (20, 20), HALF, HALF).tensor([wide])
    squeezed = Recipe((20, 20), None, HALF, HALF).tensor([wide])

    assert cropped.mean() > 0.9
    assert squeezed.mean() == pytest.approx(-1 / 3, abs=0.1)


@pytest.mark.parametrize("image", [b"", b"not a picture", picture((1, 2, 3))[:40]])
def test_what_is_no_picture_is_refused_by_its_number(image: bytes) -> None:
    with pytest.raises(ValueError, match="picture 1 cannot be decoded"):
        Recipe((8, 8), None, HALF, HALF).tensor([picture((9, 9, 9)), image])


def test_recipes_of_both_families_are_read(tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    mean, std = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
    file.write_text(
        json.dumps(
            {
                "size": {"shortest_edge": 224},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
                "image_mean": mean,
                "image_std": std,
            }
        )
    )
    assert Recipe.read(tmp_path) == Recipe(224, (224, 224), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))

    file.write_text(json.dumps({"size": {"height": 384, "width": 256}}))
    assert Recipe.read(tmp_path) == Recipe((256, 384), None, HALF, HALF)
