"""What models can be asked for: a protocol and a result per capability, and the ways to fail."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

FloatArray = npt.NDArray[np.float32]
MOST_LABELS = 12


@dataclass(frozen=True)
class Cost:
    """What one call to a provider used: `units` of `unit`, for `amount_micros` micro-dollars."""

    service: str
    units: float
    unit: str
    amount_micros: int


@dataclass(frozen=True)
class Word:
    """One spoken word; seconds on the media's clock."""

    text: str
    start: float
    end: float
    confidence: float | None


@dataclass(frozen=True)
class Segment:
    """A stretch of speech; seconds on the media's clock."""

    text: str
    start: float
    end: float
    confidence: float | None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Transcript:
    """Everything that was heard, in order."""

    language: str | None
    segments: tuple[Segment, ...]
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True)
class Description:
    """What a media item shows, in prose."""

    text: str
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True)
class Label:
    """A name for what is seen or said; confidence 0..1 orders the labels of one model only."""

    name: str
    confidence: float


@dataclass(frozen=True)
class Labels:
    """Labels, the most confident first."""

    labels: tuple[Label, ...]
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True, eq=False)
class Vectors:
    """One vector per item: float32 (n, d), each of length 1."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    values: FloatArray
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True, eq=False)
class Scores:
    """How well each label fits each picture: float32 (n, labels) in 0..1, with a threshold per label."""

    values: FloatArray
    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    costs: tuple[Cost, ...] = ()

    def labels(self) -> Labels:
        """The labels whose mean over all pictures reaches their own threshold."""
        means = self.values.mean(axis=0)
        found = [
            Label(name, float(mean))
            for name, mean, threshold in zip(self.names, means, self.thresholds, strict=True)
            if mean >= threshold
        ]
        return Labels(tuple(sorted(found, key=lambda label: -label.confidence)[:MOST_LABELS]), self.costs)


Result = Transcript | Description | Labels | Vectors
R = TypeVar("R", Transcript, Description, Labels, Vectors)


@dataclass(frozen=True, eq=False)
class Answer(Generic[R]):
    """A result, and the model that gave it within `seconds`."""

    value: R
    model: str
    version: str
    seconds: float

    @property
    def engine(self) -> str:
        """The model and its version, such as `whisper:base@20250625` or `fallback:hashing@1`."""
        return f"{self.model}@{self.version}"

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What providers charged; empty for models of our own."""
        return self.value.costs


@dataclass(frozen=True)
class Vector:
    """One vector for an interactive call; comparable only with vectors of the same model and version."""

    values: tuple[float, ...]
    model: str
    version: str


class Unavailable(Exception):
    """No model can do this here: `reason` says what is missing, for each model there is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineBroke(Exception):
    """A model that should work failed; `transient` if the same call may work later. `costs` were spent."""

    def __init__(self, reason: str, transient: bool, costs: tuple[Cost, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.costs = costs


class HostGone(Exception):
    """The host died under this call: ask again. `running` if the call had begun and so may be why."""

    def __init__(self, reason: str, running: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.running = running


OnSegment = Callable[[Segment], None]


class Transcribes(Protocol):
    """`audio` is a 16 kHz mono 16-bit WAV; each segment is handed to `on_segment` once it is final."""

    def transcribe(
        self, audio: Path, language: str | None, on_segment: OnSegment
    ) -> Transcript | Awaitable[Transcript]:
        """Hears speech in `language` (ISO 639-1), or in the one it detects."""


class Describes(Protocol):
    """`images` are key frames as JPEG, in order of time; each argument may be empty."""

    def describe(
        self, images: Sequence[bytes], transcript: str, title: str | None
    ) -> Description | Awaitable[Description]:
        """Says in a few sentences what happens."""


class FindsKeyphrases(Protocol):
    """Works on plain text."""

    def keyphrases(self, text: str, language: str | None) -> Labels | Awaitable[Labels]:
        """The phrases that carry the text."""


class LabelsImages(Protocol):
    """`images` are JPEG; one row of scores each."""

    def label_image(self, images: Sequence[bytes]) -> Scores | Awaitable[Scores]:
        """Scores every picture against the model's label list."""


class EmbedsText(Protocol):
    """One vector per text."""

    def embed_text(self, texts: Sequence[str], query: bool) -> Vectors | Awaitable[Vectors]:
        """Vectors of texts to be found, or (`query`) of what somebody looks for."""


class EmbedsImages(Protocol):
    """`images` are JPEG; one vector each."""

    def embed_image(self, images: Sequence[bytes]) -> Vectors | Awaitable[Vectors]:
        """Vectors of what the pictures show."""


class EmbedsVisualText(Protocol):
    """One vector per text, in the space of `embed_image`."""

    def embed_visual_text(self, texts: Sequence[str]) -> Vectors | Awaitable[Vectors]:
        """Vectors that find pictures by words."""


@dataclass(frozen=True)
class Capability:
    """Something to ask for. Calls may be merged along the argument `items`, one row of the answer each."""

    name: str
    protocol: type[Any]
    result: type[Any]
    items: str = ""


CAPABILITIES = {
    capability.name: capability
    for capability in (
        Capability("transcribe", Transcribes, Transcript),
        Capability("describe", Describes, Description),
        Capability("keyphrases", FindsKeyphrases, Labels),
        Capability("label_image", LabelsImages, Labels, items="images"),
        Capability("embed_text", EmbedsText, Vectors, items="texts"),
        Capability("embed_image", EmbedsImages, Vectors, items="images"),
        Capability("embed_visual_text", EmbedsVisualText, Vectors, items="texts"),
    )
}


def settled(result: Result | Scores) -> Result:
    """What a caller gets: scores become labels, everything else is as the model gave it."""
    return result.labels() if isinstance(result, Scores) else result
