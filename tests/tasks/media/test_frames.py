"""One decode finds every cut, a key frame for every shot, and a picture for every second."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tasks.media.frames import SMALL_FILE, Frames, KeyFrame, Shot, choose_thumbnail
from tasks.media.jobs import run_frames
from tasks.media.limits import Limits, MediaRefused
from tasks.media.movie import write_movie
from tasks.media.pictures import perceptual_hash
from tests.support import media

PLANTED = (1.0, 2.2, 0.6, 7.0, 1.4, 12.0, 0.8)


async def test_every_planted_cut_is_found_and_no_other(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    found = await run_frames(media.video(shelf, PLANTED), tmp_path, limits)

    cuts = [shot.start for shot in found.shots]
    assert cuts == pytest.approx([sum(PLANTED[:i]) for i in range(len(PLANTED))], abs=0.001)
    assert all(shot.end == after.start for shot, after in pairwise(found.shots))
    assert found.shots[-1].end == pytest.approx(sum(PLANTED), abs=0.05)
    assert found.decoded_frames == round(sum(PLANTED) * 25)
    assert found.broken == 0


async def test_every_shot_has_a_key_frame_near_its_middle_and_long_ones_more(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    found = await run_frames(media.video(shelf, PLANTED), tmp_path, limits)

    for shot in found.shots:
        keys = [key.at for key in found.key_frames if key.shot == shot.index]
        length = shot.end - shot.start
        assert len(keys) == max(1, int(length / 5 + 0.5))
        assert all(shot.start <= at < shot.end for at in keys)
        if length <= 5:
            assert keys[0] == pytest.approx(shot.start + length / 2, abs=0.2)
    assert [key.at for key in found.key_frames] == sorted(key.at for key in found.key_frames)


async def test_key_frames_are_upright_pictures_of_their_moment(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    path = media.video(shelf, (1.5,), size=(1920, 1080), rotation=90)

    found = await run_frames(path, tmp_path, limits)

    key = found.key_frames[0]
    picture = media.decoded((tmp_path / key.file).read_bytes())
    assert picture.shape == (1280, 720, 3)
    assert (key.width, key.height, found.width, found.height) == (720, 1280, 1080, 1920)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    expected = cv2.rotate(frames[round(key.at * 25)].to_ndarray(format="bgr24"), cv2.ROTATE_90_CLOCKWISE)
    difference = cv2.absdiff(cv2.resize(expected, (720, 1280), interpolation=cv2.INTER_AREA), picture)
    assert difference.mean() < 6


def distance(one: str, other: str) -> int:
    assert len(one) == len(other) == 64
    return (int(one, 16) ^ int(other, 16)).bit_count()


async def test_small_frames_are_one_a_second_in_one_file(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    found = await run_frames(media.video(shelf, PLANTED, size=(640, 360)), tmp_path, limits)

    data = (tmp_path / SMALL_FILE).read_bytes()
    assert [small.at for small in found.small] == pytest.approx(list(range(25)), abs=0.04)
    assert sum(small.size for small in found.small) == len(data)
    for small in found.small:
        picture = media.decoded(data[small.offset : small.offset + small.size])
        assert picture.shape == (180, 320, 3)
        assert distance(small.pdq, perceptual_hash(picture)[0]) <= 31


async def test_hashes_tell_scenes_apart(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    found = await run_frames(media.video(shelf, (3.0, 3.0)), tmp_path, limits)

    assert distance(found.small[0].pdq, found.small[-1].pdq) > 62
    assert distance(found.key_frames[0].pdq, found.key_frames[1].pdq) > 62
    assert min(key.pdq_quality for key in found.key_frames) >= 50


async def test_a_black_intro_is_marked_and_never_the_thumbnail(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    found = await run_frames(media.video(shelf, (2.0, 2.0), black=0.6), tmp_path, limits)

    assert [key.black for key in found.key_frames] == [True, False, False]
    assert found.key_frames[0].luma < 1
    chosen = choose_thumbnail(found)
    assert chosen in (1, 2)
    assert all(key.at > 0 for key in found.key_frames)


async def test_a_black_start_inside_a_shot_does_not_make_its_key_frame_black(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    # Too short to be a shot of its own.
    found = await run_frames(media.video(shelf, (0.24,), black=0.36), tmp_path, limits)

    assert [key.black for key in found.key_frames] == [False]


async def test_a_blurred_scene_is_marked(tmp_path: Path, limits: Limits) -> None:
    sharp = np.random.default_rng(1).integers(0, 255, (18, 32, 3), np.uint8)
    sharp = cv2.resize(sharp, (640, 360), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(cv2.bitwise_not(sharp), (0, 0), 24)
    path = tmp_path / "blur.mp4"
    write_movie(path, [blurred] * 40 + [sharp] * 40, 25)

    found = await run_frames(path, tmp_path, limits)

    assert [key.blurred for key in found.key_frames] == [True, False]
    assert choose_thumbnail(found) == 1


async def test_an_image_has_one_key_frame_and_no_shots(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    found = await run_frames(media.geotagged_jpeg(shelf), tmp_path, limits)

    assert found.shots == ()
    assert (found.width, found.height) == (300, 400)
    assert media.decoded((tmp_path / found.key_frames[0].file).read_bytes()).shape == (400, 300, 3)
    assert len(found.small) == 1
    assert choose_thumbnail(found) == 0


async def test_times_of_a_varying_frame_rate_are_the_files_own(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "varying.mkv"
    _varying(path)

    found = await run_frames(path, tmp_path, limits)

    assert [shot.start for shot in found.shots] == pytest.approx([0.0, 4.0], abs=0.002)
    assert [small.at for small in found.small] == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.11)


def _varying(path: Path) -> None:
    """Four seconds at 10 frames a second, then two at 50, behind a clock that starts at 3."""
    moments = [i / 10 for i in range(40)] + [4 + i / 50 for i in range(100)]
    rng = np.random.default_rng(5)
    scenes = [cv2.resize(rng.integers(0, 255, (4, 6, 3), np.uint8), (320, 180)) for _ in range(2)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=50, width=320, height=180, pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        for at in moments:
            frame = av.VideoFrame.from_ndarray(scenes[at >= 4], format="bgr24")
            frame.pts, frame.time_base = round((at + 3) * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


async def test_progress_tells_seconds_of_the_whole(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    steps: list[tuple[int, int | None]] = []

    async def note(done: int, total: int | None) -> None:
        steps.append((done, total))

    await run_frames(media.video(shelf, PLANTED), tmp_path, limits, note)

    assert steps[0] == (0, 25)
    assert steps == sorted(steps)


async def test_damage_is_skipped_and_counted(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    whole = media.video(shelf, (4.0, 4.0), sound=None)
    data = bytearray(whole.read_bytes())
    middle = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[middle : middle + 1500] = bytes(1500)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)

    found = await run_frames(path, tmp_path, limits)

    assert found.broken > 0
    assert found.decoded_frames > 100


async def test_a_file_of_which_nothing_decodes_is_corrupt(
    shelf: Path, tmp_path: Path, limits: Limits
) -> None:
    data = bytearray(media.video(shelf, sound=None).read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov")
    data[start:end] = bytes(end - start)
    path = tmp_path / "hollow.mp4"
    path.write_bytes(data)

    with pytest.raises(MediaRefused) as refused:
        await run_frames(path, tmp_path, limits)

    assert refused.value.code == "CORRUPT"


async def test_sound_alone_has_no_frames(shelf: Path, tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(MediaRefused) as refused:
        await run_frames(media.audio(shelf), tmp_path, limits)

    assert refused.value.code == "NO_VIDEO"
    assert list(tmp_path.iterdir()) == []


async def test_a_header_that_understates_the_duration_does_not_get_past_the_limit(
    tmp_path: Path, limits: Limits
) -> None:
    path = tmp_path / "varying.mkv"
    _varying(path)
    data = path.read_bytes()
    # Matroska's Duration element (0x4489): a float of 8 bytes, in milliseconds.
    at = data.index(b"\x44\x89\x88") + 3
    path.write_bytes(data[:at] + np.array([500.0], ">f8").tobytes() + data[at + 8 :])

    with pytest.raises(MediaRefused) as refused:
        await run_frames(path, tmp_path, replace(limits, max_duration_seconds=4.5))

    assert refused.value.code == "TOO_LONG"


def _key(at: float, **changes: object) -> KeyFrame:
    plain = KeyFrame(at, 0, "k.jpg", 320, 180, 100.0, 500.0, False, False, "0" * 64, 80)
    return replace(plain, **changes)  # type: ignore[arg-type]


def _frames(*keys: KeyFrame) -> Frames:
    return Frames((Shot(0, 0.0, 9.0),), keys, (), 320, 180, 225, 0)


def test_the_thumbnail_is_the_frame_with_most_to_see() -> None:
    dull, rich, soft = _key(1, pdq_quality=20), _key(3), _key(5, blurred=True, pdq_quality=100)

    assert choose_thumbnail(_frames(dull, rich, soft)) == 1
    assert choose_thumbnail(_frames(_key(2, sharpness=100.0), _key(4, sharpness=900.0))) == 1


def test_neither_a_black_frame_nor_the_first_one_is_ever_the_thumbnail() -> None:
    assert choose_thumbnail(_frames(_key(0), _key(3, black=True))) is None
    assert choose_thumbnail(_frames(_key(0), _key(3, black=True), _key(4, blurred=True))) == 2
    assert choose_thumbnail(_frames()) is None
