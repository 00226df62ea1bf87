"""Speech to text by an OpenAI-compatible service that gives times (verbose_json)."""

import io
import math
import wave
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from inference.capabilities import Cost, EngineBroke, OnSegment, Segment, Transcript, Word
from inference.options import Options
from inference.provider import calling, cost
from inference.registry import Model
from inference.speech import RATE, Piece, pieces

SERVICE = "openai-transcribe"
# Ten minutes of 16-bit sound are 19 MB: below the 25 MB that such services take.
EARLIEST_CUT, LONGEST_PIECE = 480.0, 600.0
# Services name the language in English; captions carry its code.
CODES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en",
    "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi",
    "hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko",
    "norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro",
    "russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk",
    "urdu": "ur", "vietnamese": "vi",
}  # fmt: skip


class HeardWord(BaseModel):
    """A word as the service times it, in seconds from the start of the piece."""

    word: str
    start: FiniteFloat
    end: FiniteFloat


class HeardSegment(BaseModel):
    """A segment as the service times it, in seconds from the start of the piece."""

    text: str
    start: FiniteFloat
    end: FiniteFloat
    avg_logprob: FiniteFloat | None = None


class Heard(BaseModel):
    """The service's answer; anything else is not believed."""

    language: str | None = None
    segments: list[HeardSegment]
    words: list[HeardWord] = Field(default_factory=list)


class OpenAITranscribe(Model):
    """Sends ten minutes at a time; what is silent is not sent."""

    name = SERVICE
    capabilities = ("transcribe",)
    kinds = ("VIDEO", "AUDIO")
    version = "1"
    rank = 10

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.variant = options.transcribe_model

    def available(self) -> str | None:
        """Whether a service and its model are set up."""
        if not self.options.openai_base_url:
            return "OPENAI_BASE_URL is not set"
        return None if self.options.transcribe_model else "OPENAI_TRANSCRIBE_MODEL is not set"

    async def transcribe(self, audio: Path, language: str | None, on_segment: OnSegment) -> Transcript:
        """Hears piece by piece; a failure carries the cost of the pieces already heard."""
        segments: list[Segment] = []
        costs: list[Cost] = []
        for piece in pieces(audio, EARLIEST_CUT, LONGEST_PIECE):
            if piece.silent:
                continue
            try:
                heard = await self._hear(piece, language)
            except EngineBroke as error:
                raise EngineBroke(error.reason, error.transient, (*costs, *error.costs)) from error
            costs += self._costs(piece)
            language = language or _code(heard.language)
            for segment in _segments(heard, piece):
                segments.append(segment)
                on_segment(segment)
        return Transcript(language, tuple(segments), tuple(costs))

    async def _hear(self, piece: Piece, language: str | None) -> Heard:
        from openai import omit

        async with calling(self.options, SERVICE) as client:
            raw = await client.audio.transcriptions.with_raw_response.create(
                model=self.options.transcribe_model,
                file=("speech.wav", _wav(piece), "audio/wav"),
                response_format="verbose_json",
                timestamp_granularities=["segment", "word"],
                language=language or omit,
            )
        try:
            return Heard.model_validate_json(raw.text)
        except ValidationError as error:
            reason = f"{SERVICE} did not send segments with times"
            raise EngineBroke(reason, transient=True, costs=self._costs(piece)) from error

    def _costs(self, piece: Piece) -> tuple[Cost, ...]:
        micros = piece.seconds / 60 * self.options.transcribe_micros_per_minute
        return (cost(SERVICE, piece.seconds, "second", micros),)


def _segments(heard: Heard, piece: Piece) -> list[Segment]:
    """In order, on the media's clock and inside the piece, whatever the service says."""

    def at(seconds: float) -> float:
        return piece.start + min(max(seconds, 0.0), piece.seconds)

    found = []
    for raw in sorted(heard.segments, key=lambda segment: segment.start):
        start, end = at(raw.start), at(raw.end)
        if raw.text.strip() and start < end:
            inside = [word for word in heard.words if raw.start <= (word.start + word.end) / 2 < raw.end]
            words = tuple(Word(word.word.strip(), at(word.start), at(word.end), None) for word in inside)
            confidence = None if raw.avg_logprob is None else math.exp(min(0.0, raw.avg_logprob))
            found.append(Segment(raw.text.strip(), start, end, confidence, words))
    return found


def _wav(piece: Piece) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((piece.samples * 32767.0).astype(np.int16).tobytes())
    return buffer.getvalue()


def _code(name: str | None) -> str | None:
    if name is None or len(name) == 2:
        return name
    return CODES.get(name.lower())
