"""Sound comes out as 16 kHz mono on the media's own clock."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.media.jobs import run_audio
from tasks.media.limits import Limits, MediaRefused
from tests.support import media


def samples(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


async def test_the_sound_of_a_video_keeps_its_length_pitch_and_level(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    out = tmp_path / "audio.wav"

    found = await run_audio(media.video(shelf, (2.0, 2.0)), out, limits)

    heard = samples(out)
    assert found.duration_seconds == pytest.approx(4.0, abs=0.05)
    assert len(heard) / 16_000 == pytest.approx(found.duration_seconds, abs=0.001)
    spectrum = np.abs(np.fft.rfft(heard[8000:24_000]))
    assert int(spectrum.argmax()) == 440
    assert found.peak == pytest.approx(8000 / 32768, rel=0.1)
    assert found.rms == pytest.approx(8000 / 32768 / 2**0.5, rel=0.1)


async def test_a_sound_file_is_read_too(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    found = await run_audio(media.audio(shelf, words="the harbour is calm"), tmp_path / "audio.wav", limits)

    assert found.duration_seconds > 1
    assert 0.05 < found.peak <= 1


async def test_a_late_start_and_a_gap_become_silence(tmp_path: Path, limits: Limits) -> None:
    path, out = tmp_path / "gap.mkv", tmp_path / "audio.wav"
    _with_gap(path)

    found = await run_audio(path, out, limits)

    loud = np.abs(samples(out)[: 4 * 16_000].reshape(-1, 1600)).max(axis=1) > 1000
    assert found.duration_seconds == pytest.approx(4.0, abs=0.1)
    # A tenth of a second each: sound from 1 to 2 and from 3 to 4.
    assert not loud[:9].any()
    assert loud[11:19].all()
    assert not loud[21:29].any()
    assert loud[31:39].all()


def _with_gap(path: Path) -> None:
    """Pictures from 0 to 4 s; a tone from 1 to 2 s and from 3 to 4 s."""
    tone = (np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000) * 8000).astype(np.int16)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10, width=64, height=64, pix_fmt="yuv420p")
        audio = out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for index in range(40):
            if index in (10, 30):
                block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
                block.sample_rate, block.time_base = 48_000, Fraction(1, 48_000)
                block.pts = 48_000 * index // 10
                out.mux(audio.encode(block))
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode())
        out.mux(audio.encode())


async def test_a_stream_that_changes_its_rate_midway_is_read_to_its_end(
    tmp_path: Path, limits: Limits
) -> None:
    # MPEG audio has no header of its own: two recordings behind one another are one file.
    path = tmp_path / "joined.mp3"
    path.write_bytes(_mp3(tmp_path, 44_100) + _mp3(tmp_path, 22_050))

    found = await run_audio(path, tmp_path / "audio.wav", limits)

    assert found.duration_seconds == pytest.approx(2.0, abs=0.2)


def _mp3(folder: Path, rate: int) -> bytes:
    path = folder / f"{rate}.mp3"
    tone = (np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 8000).astype(np.int16)
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=rate, layout="mono")
        block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = rate, 0, Fraction(1, rate)
        out.mux([*stream.encode(block), *stream.encode()])
    return path.read_bytes()


async def test_progress_tells_seconds_of_the_whole(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    steps: list[tuple[int, int | None]] = []

    async def note(done: int, total: int | None) -> None:
        steps.append((done, total))

    await run_audio(media.video(shelf, (2.0, 2.0)), tmp_path / "audio.wav", limits, note)

    assert steps[0] == (0, 4)


async def test_a_file_without_sound_is_refused_and_writes_nothing(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    with pytest.raises(MediaRefused) as refused:
        await run_audio(media.video(shelf, sound=None), tmp_path / "audio.wav", limits)

    assert refused.value.code == "NO_AUDIO"
    assert list(tmp_path.iterdir()) == []
