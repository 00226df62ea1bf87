"""Pictures and words in one space, by a CLIP or SigLIP model from a local folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.capabilities import FloatArray, Scores, Vectors
from inference.devices import missing_packages
from inference.labels import SHIPPED, LabelList
from inference.options import Options
from inference.pictures import Recipe
from inference.registry import Model
from inference.weights import fingerprint, missing_folder

FAMILIES = ("clip", "siglip")
PROMPT = "a photo of {}"


class Clip(Model):
    """Zero-shot labels (the folder may bring its own labels.txt), and vectors of pictures and words."""

    name = "clip"
    capabilities = ("label_image", "embed_image", "embed_visual_text")
    kinds = ("VIDEO", "IMAGE")
    place = "host"
    version = "unread"
    batch = 32

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._folder = Path(options.vision_model)
        self.variant = self._folder.name

    def available(self) -> str | None:
        """Whether the packages and a model of a family we know are here."""
        reason = missing_folder("VISION_MODEL", self.options.vision_model)
        if reason or (reason := missing_packages("torch", "transformers")):
            return reason
        family = self._family()
        known = " and ".join(FAMILIES)
        return None if family in FAMILIES else f"VISION_MODEL: a '{family}' model; only {known} are known"

    def prepare(self) -> None:
        """Reads what identifies the weights."""
        if not self.available():
            self.version = fingerprint(self._folder)

    def load(self, device: str) -> None:
        """Loads safetensors only, runs no code of the folder, and encodes the labels."""
        from transformers import AutoModel, AutoTokenizer

        local = {"local_files_only": True, "trust_remote_code": False}
        model = AutoModel.from_pretrained(self._folder, use_safetensors=True, **local)
        self._device = device
        self._model: Any = model.to(device).eval()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self._folder, **local)
        self._recipe = Recipe.read(self._folder)
        own = self._folder / "labels.txt"
        self._labels = LabelList.read(own if own.is_file() else SHIPPED)
        prompts = [PROMPT.format(label) for label in self._labels.names]
        batches = [prompts[n : n + self.batch] for n in range(0, len(prompts), self.batch)]
        self._label_vectors = np.concatenate([self._text_vectors(batch) for batch in batches])

    def label_image(self, images: Sequence[bytes]) -> Scores:
        """CLIP shares one certainty among all labels, SigLIP judges each label by itself."""
        scale = float(self._model.logit_scale.exp())
        logits = self._image_vectors(images) @ self._label_vectors.T * scale
        if self._family() == "siglip":
            values = 1.0 / (1.0 + np.exp(-(logits + float(self._model.logit_bias))))
        else:
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            values = shares / shares.sum(axis=1, keepdims=True)
        return Scores(values.astype(np.float32), self._labels.names, self._labels.thresholds)

    def embed_image(self, images: Sequence[bytes]) -> Vectors:
        """Vectors of what the pictures show."""
        return Vectors(self._image_vectors(images))

    def embed_visual_text(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts that are near those of pictures which show them."""
        return Vectors(self._text_vectors(texts))

    def _family(self) -> str:
        return str(json.loads((self._folder / "config.json").read_text()).get("model_type"))

    def _image_vectors(self, images: Sequence[bytes]) -> FloatArray:
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(self._recipe.tensor(images)).to(self._device)
            return _unit(self._model.get_image_features(pixel_values=pixels))

    def _text_vectors(self, texts: Sequence[str]) -> FloatArray:
        import torch

        siglip = self._family() == "siglip"
        tokens = self._tokenizer(
            # SigLIP was trained on lower-case texts that are padded to the full length.
            [text.lower() for text in texts] if siglip else list(texts),
            padding="max_length" if siglip else True,
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._device)
        given = {"input_ids": tokens["input_ids"]}
        if not siglip:
            given["attention_mask"] = tokens["attention_mask"]
        with torch.inference_mode():
            return _unit(self._model.get_text_features(**given))


def _unit(output: Any) -> FloatArray:
    """The model's vectors as float32 (n, d), each of length 1."""
    vectors: FloatArray = output.pooler_output.float().cpu().numpy()
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
