"""Decodes the sound of a file to 16 kHz mono WAV, silence where the file has a gap."""

from __future__ import annotations

import math
import wave
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from tasks.media.audio import SAMPLE_RATE, Audio
from tasks.media.child.opening import Opened, opened, too_long
from tasks.media.child.reading import Tally, audio_frames
from tasks.media.limits import JSON, Limits, MediaRefused, Report

#: A gap shorter than this is the codec's own padding or rounding, not silence.
_GAP_SECONDS = 0.1
_FULL_SCALE = 32768

Samples = npt.NDArray[np.int16]


def work(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """`path`, `out` (a file) → the fields of Audio, and the WAV at `out`."""
    with opened(Path(str(arguments["path"])), limits) as media:
        if media.audio is None:
            raise MediaRefused("NO_AUDIO", "The file has no sound that can be decoded.")
        with wave.open(str(arguments["out"]), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            return asdict(_write(media, media.audio, out, limits, report))


def _write(media: Opened, stream: AudioStream, out: wave.Wave_write, limits: Limits, report: Report) -> Audio:
    sound = _Sound(media, stream)
    total = round(media.duration) if media.duration else None
    written, peak, squares = 0, 0, 0.0
    for samples in sound.samples():
        out.writeframesraw(samples.tobytes())
        written += len(samples)
        if written > limits.max_duration_seconds * SAMPLE_RATE:
            raise too_long(written / SAMPLE_RATE, limits)
        peak = max(peak, int(np.abs(samples.astype(np.int32)).max(initial=0)))
        squares += float(np.square(samples.astype(np.float64)).sum())
        report(written // SAMPLE_RATE, total)
    sound.tally.check()
    rms = math.sqrt(squares / written) / _FULL_SCALE if written else 0.0
    return Audio(
        round(written / SAMPLE_RATE, 3), round(peak / _FULL_SCALE, 5), round(rms, 5), sound.tally.broken
    )


def _resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)


class _Sound:
    """The samples of one stream in order, with silence put in so that they stay on the media's clock."""

    def __init__(self, media: Opened, stream: AudioStream) -> None:
        self.tally = Tally()
        self._media = media
        self._stream = stream
        self._resampler = _resampler()
        self._shape: tuple[int, str, str] | None = None
        self._position = 0

    def samples(self) -> Iterator[Samples]:
        """Blocks of samples."""
        for frame in audio_frames(self._media, self._stream, self.tally):
            yield from self._silence(frame)
            # The clock is kept here; times that jump would have the resampler complain.
            frame.pts = None
            yield from self._resampled(frame)
        yield from self._counted(self._resampler.resample(None))

    def _resampled(self, frame: AudioFrame) -> Iterator[Samples]:
        shape = (frame.sample_rate, frame.layout.name, frame.format.name)
        if self._shape not in (None, shape):
            # A stream may change its rate or channels midway; a resampler may not.
            yield from self._counted(self._resampler.resample(None))
            self._resampler = _resampler()
        self._shape = shape
        yield from self._counted(self._resampler.resample(frame))

    def _silence(self, frame: AudioFrame) -> Iterator[Samples]:
        if frame.time is None:
            return
        missing = round((frame.time - self._media.start) * SAMPLE_RATE) - self._position
        if missing > _GAP_SECONDS * SAMPLE_RATE:
            # A second at a time: a lying clock must not cost memory before the limit on duration is seen.
            for start in range(0, missing, SAMPLE_RATE):
                block = np.zeros(min(SAMPLE_RATE, missing - start), np.int16)
                self._position += len(block)
                yield block

    def _counted(self, frames: list[AudioFrame]) -> Iterator[Samples]:
        for frame in frames:
            samples: Samples = frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            self._position += len(samples)
            yield samples
