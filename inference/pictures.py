"""Pictures as a vision model wants them: size, crop and colour as its preprocessor_config.json says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from inference.capabilities import FloatArray


@dataclass(frozen=True)
class Recipe:
    """`size` is width and height, or one number: the shorter side, before a centre crop to `crop`."""

    size: tuple[int, int] | int
    crop: tuple[int, int] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what the model was trained with."""
        config = json.loads((folder / "preprocessor_config.json").read_text())
        size = config["size"]
        crop = _pair(config["crop_size"]) if config.get("do_center_crop") else None
        return cls(
            size=_pair(size) if isinstance(size, dict) and "height" in size else _shortest(size),
            crop=crop,
            mean=tuple(config.get("image_mean", (0.5, 0.5, 0.5))),
            std=tuple(config.get("image_std", (0.5, 0.5, 0.5))),
        )

    def tensor(self, images: Sequence[bytes]) -> FloatArray:
        """Encoded pictures as float32 (n, 3, height, width), RGB, normalised; raises ValueError."""
        arrays = [self._one(image, number) for number, image in enumerate(images)]
        return np.ascontiguousarray(np.stack(arrays).transpose(0, 3, 1, 2))

    def _one(self, image: bytes, number: int) -> FloatArray:
        import cv2

        decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR) if image else None
        if decoded is None:
            raise ValueError(f"picture {number} cannot be decoded")
        height, width = decoded.shape[:2]
        target = self._target(width, height)
        # INTER_AREA averages when it shrinks, as the training pipelines' antialiased resize does.
        shrinks = target[0] < width or target[1] < height
        sized = cv2.resize(decoded, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        rgb = self._cropped(sized)[:, :, ::-1].astype(np.float32) / 255.0
        normal: FloatArray = (rgb - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return normal

    def _target(self, width: int, height: int) -> tuple[int, int]:
        if isinstance(self.size, tuple):
            return self.size
        scale = self.size / min(width, height)
        return max(self.size, round(width * scale)), max(self.size, round(height * scale))

    def _cropped(self, array: Any) -> Any:
        if self.crop is None:
            return array
        width, height = self.crop
        top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
        return array[top : top + height, left : left + width]


def _pair(size: dict[str, int] | int) -> tuple[int, int]:
    return (size["width"], size["height"]) if isinstance(size, dict) else (size, size)


def _shortest(size: dict[str, int] | int) -> int:
    return size["shortest_edge"] if isinstance(size, dict) else size
