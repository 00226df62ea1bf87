"""Our own pictures are measured alike at every size."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.media.pictures import Picture, encode_jpeg, fitted, look, perceptual_hash, scale_jpeg
from tests.support import media


def photo(shelf: Path) -> Picture:
    return media.decoded(media.image(shelf, "png", size=(1280, 720)).read_bytes())


def test_a_jpeg_is_scaled_to_its_long_side_and_never_enlarged(shelf: Path) -> None:
    jpeg = encode_jpeg(photo(shelf))

    small, same = media.decoded(scale_jpeg(jpeg, 640)), media.decoded(scale_jpeg(jpeg, 4000))

    assert (small.shape, same.shape) == ((360, 640, 3), (720, 1280, 3))


def test_what_is_no_jpeg_is_not_scaled() -> None:
    with pytest.raises(ValueError, match="not a JPEG"):
        scale_jpeg(b"nothing", 640)


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (320, 180)), ((101, 7), (102, 8)), ((3, 9000), (2, 320))]
)
def test_a_size_keeps_its_shape_and_is_even(size: tuple[int, int], expected: tuple[int, int]) -> None:
    width, height = fitted(*size, 320)

    assert (width, height) == pytest.approx(expected, abs=2)
    assert width % 2 == height % 2 == 0


def test_sharpness_means_the_same_at_every_size(shelf: Path) -> None:
    large = photo(shelf)
    half = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    assert look(half).sharpness == pytest.approx(look(large).sharpness, rel=0.1)
    assert look(cv2.GaussianBlur(large, (0, 0), 20)).blurred
    assert not look(large).blurred


def test_black_with_a_logo_is_black_and_a_dark_scene_is_not(shelf: Path) -> None:
    black = np.zeros((360, 640, 3), np.uint8)
    black[10:40, 10:60] = 255

    assert look(black).black
    assert not look((photo(shelf) * 0.3).astype(np.uint8)).black


def test_the_perceptual_hash_survives_scaling_and_compression(shelf: Path) -> None:
    large = photo(shelf)
    small = media.decoded(scale_jpeg(encode_jpeg(large, quality=40), 320))

    (one, quality), (other, _) = perceptual_hash(large), perceptual_hash(small)

    assert quality >= 50
    assert (int(one, 16) ^ int(other, 16)).bit_count() <= 31
