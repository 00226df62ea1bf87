"""Speech to text by openai-whisper, from a checkpoint on disk or a named one that is fetched once."""

import math
from importlib import metadata
from pathlib import Path
from typing import Any

from inference.capabilities import OnSegment, Segment, Transcript, Word
from inference.devices import missing_packages
from inference.options import Options
from inference.registry import Model
from inference.speech import Piece, pieces
from inference.weights import Source, Unknown, WeightsFetch

LOOP_RATIO = 2.4


class Whisper(Model):
    """Hears window by window, so that captions appear while the rest is still to be heard."""

    name = "whisper"
    capabilities = ("transcribe",)
    kinds = ("VIDEO", "AUDIO")
    place = "host"
    rank = 50
    version = "1"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        wanted = options.whisper_model
        self._by_path = "/" in wanted or wanted.endswith(".pt")
        self.variant = Path(wanted).stem if self._by_path else wanted
        self._path = Path(wanted) if self._by_path else options.weights / f"whisper-{wanted}.pt"
        self._fetch = WeightsFetch(f"whisper model '{wanted}'", lambda: _source(wanted), self._path)
        if not missing_packages("openai-whisper"):
            self.version = metadata.version("openai-whisper")

    def available(self) -> str | None:
        """Whether the packages and the checkpoint are here, or how far fetching it has come."""
        if reason := missing_packages("torch", "openai-whisper"):
            return reason
        if self._path.is_file():
            return None
        if self._by_path:
            return f"WHISPER_MODEL: there is no file {self._path}"
        if not self.variant:
            return "WHISPER_MODEL is empty"
        if not self.options.whisper_fetch:
            return f"whisper model '{self.variant}' is not here and fetching is switched off (WHISPER_FETCH)"
        return self._fetch.reason()

    def prepare(self) -> None:
        """Begins to fetch a named checkpoint that is not here."""
        wanted = self.options.whisper_fetch and not self._by_path and self.variant
        if wanted and not missing_packages("torch", "openai-whisper"):
            self._fetch.start()

    def load(self, device: str) -> None:
        """Reads the checkpoint (weights only: it cannot run code) and compiles the word aligner."""
        import numpy
        import whisper
        import whisper.timing

        self._model = whisper.load_model(str(self._path), device=device)
        # The package knows which attention heads align words, but only tells when it fetched the file itself.
        if heads := whisper._ALIGNMENT_HEADS.get(self.variant) if not self._by_path else None:
            self._model.set_alignment_heads(heads)
        whisper.timing.dtw_cpu(numpy.zeros((2, 2), numpy.float64))
        self._fp16 = device.startswith("cuda")

    def transcribe(self, audio: Path, language: str | None, on_segment: OnSegment) -> Transcript:
        """Hears each window that is not silent; the first one heard settles the language."""
        import torch
        from whisper.tokenizer import LANGUAGES

        # Uncertain windows are sampled again: seeded, so that the same audio gives the same words.
        torch.manual_seed(0)
        heard = language if language in LANGUAGES else None
        segments: list[Segment] = []
        for piece in pieces(audio):
            if piece.silent:
                continue
            result = self._hear(piece, heard)
            heard = heard or result["language"]
            for segment in filter(None, (_segment(raw, piece) for raw in result["segments"])):
                segments.append(segment)
                on_segment(segment)
        return Transcript(heard, tuple(segments))

    def _hear(self, piece: Piece, language: str | None) -> dict[str, Any]:
        import whisper

        result: dict[str, Any] = whisper.transcribe(
            self._model,
            piece.samples,
            language=language,
            word_timestamps=True,
            condition_on_previous_text=False,
            hallucination_silence_threshold=2.0,
            fp16=self._fp16,
        )
        return result


def _source(name: str) -> Source:
    import whisper

    if name not in whisper._MODELS:
        known = ", ".join(whisper.available_models())
        raise Unknown(f"there is no whisper model '{name}'; there are {known} (or give a path)")
    url: str = whisper._MODELS[name]
    return Source(url, url.split("/")[-2])


def _segment(raw: dict[str, Any], piece: Piece) -> Segment | None:
    """A segment on the media's clock; None for an empty one and for a loop."""
    text = raw["text"].strip()
    if not text or raw["compression_ratio"] > LOOP_RATIO:
        return None

    def at(seconds: float) -> float:
        return piece.start + min(max(float(seconds), 0.0), piece.seconds)

    words = tuple(
        Word(word["word"].strip(), at(word["start"]), at(word["end"]), float(word["probability"]))
        for word in raw.get("words", ())
    )
    return Segment(text, at(raw["start"]), at(raw["end"]), math.exp(min(0.0, raw["avg_logprob"])), words)
