"""Small arithmetic on pictures that we made ourselves: BGR arrays of shape (height, width, 3), uint8."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pdqhash

Picture = npt.NDArray[np.uint8]

#: Measures are taken at this width, so that they mean the same for every source.
_MEASURED_WIDTH = 320
#: A picture is black where 98 % of it is darker than this (of 255); blurred below this Laplacian variance.
_BLACK_LUMA, _BLURRED_BELOW = 32, 30.0
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks: mean luma (0 to 255), sharpness (variance of its Laplacian), and the two flags."""

    luma: float
    sharpness: float
    black: bool
    blurred: bool


def look(picture: Picture) -> Look:
    """Measures a picture of any size."""
    scale = _MEASURED_WIDTH / picture.shape[1]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(
        grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    black = is_black(grey)
    return Look(round(float(grey.mean()), 2), round(sharpness, 2), black, sharpness < _BLURRED_BELOW)


def is_black(grey: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture of luma only is black but for a few pixels (a logo, noise)."""
    return float(np.percentile(grey, 98)) < _BLACK_LUMA


def fitted(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The even size of the same shape whose long side is at most `long_side`, never enlarged."""
    scale = min(1.0, long_side / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def upright(picture: Picture, rotation: int) -> Picture:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees."""
    return cv2.rotate(picture, _TURNS[rotation]) if rotation else picture


def encode_jpeg(picture: Picture, quality: int = 85) -> bytes:
    """The picture as JPEG."""
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return bytes(data)


def scale_jpeg(jpeg: bytes, long_side: int) -> bytes:
    """One of our own JPEGs with its long side at most `long_side`; ValueError where it is no JPEG."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("not a JPEG")
    size = fitted(picture.shape[1], picture.shape[0], long_side)
    return encode_jpeg(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def perceptual_hash(picture: Picture) -> tuple[str, int]:
    """PDQ: 64 hex digits (256 bits) and its quality, 0 to 100; below 50 the hash says little (Meta, 2019)."""
    bits, quality = pdqhash.compute(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    return np.packbits(bits).tobytes().hex(), int(quality)
