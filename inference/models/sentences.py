"""Vectors of texts by a sentence encoder from a local folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.capabilities import FloatArray, Vectors
from inference.devices import missing_packages
from inference.options import Options
from inference.registry import Model
from inference.weights import fingerprint, missing_folder

MOST_TOKENS = 512


class Sentences(Model):
    """Any encoder that AutoModel knows; pooling and prompts as its sentence-transformers files say."""

    name = "sentences"
    capabilities = ("embed_text",)
    place = "host"
    version = "unread"
    batch = 64

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._folder = Path(options.text_model)
        self.variant = self._folder.name

    def available(self) -> str | None:
        """Whether the packages and the folder are here."""
        reason = missing_folder("TEXT_MODEL", self.options.text_model)
        return reason or missing_packages("torch", "transformers")

    def prepare(self) -> None:
        """Reads what identifies the weights."""
        if not self.available():
            self.version = fingerprint(self._folder)

    def load(self, device: str) -> None:
        """Loads safetensors only and runs no code of the folder."""
        from transformers import AutoModel, AutoTokenizer

        local = {"local_files_only": True, "trust_remote_code": False}
        model = AutoModel.from_pretrained(self._folder, use_safetensors=True, **local)
        self._device = device
        self._model: Any = model.to(device).eval()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self._folder, **local)
        longest = getattr(model.config, "max_position_embeddings", MOST_TOKENS)
        self._longest = min(MOST_TOKENS, longest, self._tokenizer.model_max_length)
        self._first_token = _json(self._folder / "1_Pooling/config.json").get("pooling_mode_cls_token", False)
        self._prompts = _json(self._folder / "config_sentence_transformers.json").get("prompts") or {}

    def embed_text(self, texts: Sequence[str], query: bool) -> Vectors:
        """Vectors of length 1; what is too long is cut at the model's own limit."""
        import torch

        prompt = self._prompts.get("query" if query else "document") or ""
        tokens = self._tokenizer(
            [prompt + text for text in texts],
            padding=True,
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state.float().cpu().numpy()
        return Vectors(self._pooled(states, tokens["attention_mask"].cpu().numpy()))

    def _pooled(self, states: FloatArray, mask: Any) -> FloatArray:
        weights = mask[:, :, None].astype(np.float32)
        mean = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        vectors = states[:, 0] if self._first_token else mean
        unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found
