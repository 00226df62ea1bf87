"""Small real media for tests, each file made once in the folder it is asked for."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from tasks.media.movie import write_movie
from tasks.media.speech import RATE, speak
from tasks.media.subtitles import Cue

Picture = npt.NDArray[np.uint8]


def video(
    folder: Path,
    shots: Sequence[float] = (1.0, 1.2),
    *,
    black: float = 0.0,
    fps: int = 25,
    size: tuple[int, int] = (320, 180),
    sound: str | None = "tone",
    cues: Sequence[Cue] = (),
    tags: Mapping[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """An H.264 MP4: `black` seconds of black, then `shots` (seconds each) that differ wholly and move.

    `sound` is "tone", None, or the words to be spoken; `rotation` turns clockwise when shown.
    """
    path = folder / f"video-{_key(shots, black, fps, size, sound, cues, tags, rotation)}.mp4"
    if not path.exists():
        pictures = _pictures(shots, black, fps, size)
        seconds = black + sum(shots)
        samples = _tone(seconds) if sound == "tone" else speak(sound) if sound else None
        write_movie(path, pictures, fps, sound=samples, rate=RATE, cues=cues, tags=tags, rotation=rotation)
    return path


def _key(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:12]


def _pictures(shots: Sequence[float], black: float, fps: int, size: tuple[int, int]) -> Iterator[Picture]:
    width, height = size
    for _ in range(round(black * fps)):
        yield np.zeros((height, width, 3), np.uint8)
    for index, seconds in enumerate(shots):
        texture = _texture(index, width, height)
        for frame in range(round(seconds * fps)):
            # A slow pan: motion, but far from a cut.
            yield np.roll(texture, 2 * frame, axis=1)


def _texture(seed: int, width: int, height: int) -> Picture:
    """Large soft patches about one colour of its own, with sharp bars: nothing like its neighbours."""
    random = np.random.default_rng(seed)
    hue = np.array([[[seed * 67 % 180, 200, 110 + seed * 53 % 120]]], np.uint8)
    colour = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)
    patches = random.integers(-50, 50, (6, 10, 3)).astype(np.float32)
    picture = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC) + colour
    for x in random.integers(0, width, 6):
        cv2.rectangle(picture, (int(x), height // 4), (int(x) + 12, height * 3 // 4), (255, 255, 255), -1)
    return np.asarray(np.clip(picture, 20, 255), np.uint8)


def _tone(seconds: float) -> npt.NDArray[np.int16]:
    times = np.arange(round(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 440 * times) * 8000).astype(np.int16)


def audio(folder: Path, *, words: str | None = None, seconds: float = 1.5) -> Path:
    """A WAV file: `words` spoken, or a tone of 440 Hz at a quarter of full scale."""
    path = folder / f"audio-{_key(words, seconds)}.wav"
    if not path.exists():
        samples = (speak(words) if words else _tone(seconds)).tobytes()
        layout = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)
        body = b"WAVE" + _riff(b"fmt ", layout) + _riff(b"data", samples)
        path.write_bytes(_riff(b"RIFF", body))
    return path


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data


def image(folder: Path, kind: str = "jpg", *, size: tuple[int, int] = (400, 300), seed: int = 3) -> Path:
    """A picture in the format that OpenCV calls `kind` (jpg, png, webp, gif, bmp, tiff, avif)."""
    path = folder / f"image-{_key(size, seed)}.{kind}"
    if not path.exists():
        path.write_bytes(cv2.imencode(f".{kind}", _texture(seed, *size))[1].tobytes())
    return path


def geotagged_jpeg(folder: Path) -> Path:
    """A 400×300 JPEG to be turned 90° clockwise, taken at 59.9075 N 10.736 E, 2024-05-06 07:08:09 +02:00."""
    path = folder / "geotagged.jpg"
    plain = image(folder).read_bytes()
    taken = _ifd(88, [(0x9003, 2, 20, b"2024:05:06 07:08:09\0"), (0x9011, 2, 7, b"+02:00\0")])
    first = _ifd(8, [(0x0112, 3, 1, struct.pack("<H", 6)), (0x8769, 4, 1, struct.pack("<I", 88)),
                     (0x8825, 4, 1, struct.pack("<I", 88 + len(taken)))])  # fmt: skip
    north, east = [(59, 1), (54, 1), (2700, 100)], [(10, 1), (44, 1), (960, 100)]
    place = [(1, 2, 2, b"N\0"), (2, 5, 3, _rationals(north)), (3, 2, 2, b"E\0"), (4, 5, 3, _rationals(east))]
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + first.ljust(80, b"\0") + taken
    exif += _ifd(88 + len(taken), place)
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    return path


def _rationals(pairs: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("<II", *pair) for pair in pairs)


def _ifd(at: int, entries: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """A TIFF directory that begins at offset `at`, its longer values behind it."""
    fields, values = struct.pack("<H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", behind + len(values))
        fields += struct.pack("<HHI", tag, kind, count) + inline
        values += value if len(value) > 4 else b""
    return fields + bytes(4) + values


def decoded(picture: bytes) -> Picture:
    """What a file in any picture format shows, as BGR."""
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    return np.asarray(shown, np.uint8)


def truncated(path: Path, part: float = 0.5) -> Path:
    """A copy of `path` that ends after `part` of it."""
    data = path.read_bytes()
    cut = path.with_name(f"cut-{part}-{path.name}")
    cut.write_bytes(data[: round(len(data) * part)])
    return cut


def playlist(folder: Path, *targets: str) -> Path:
    """An HLS playlist of `targets` that calls itself an MP4."""
    path = folder / f"playlist-{_key(targets)}.mp4"
    entries = "".join(f"#EXTINF:1.0,\n{target}\n" for target in targets)
    path.write_text(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n{entries}#EXT-X-ENDLIST\n")
    return path


def pixel_bomb(folder: Path, width: int = 16_000, height: int = 15_000) -> Path:
    """A valid PNG of a few hundred KB that decodes to `width` × `height` pixels of one colour."""
    path = folder / f"bomb-{width}x{height}.png"
    if not path.exists():
        packer = zlib.compressobj(9)
        row = bytes(1 + width * 3)
        rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def day_long(folder: Path) -> Path:
    """A 16×16 video that lasts 24 hours in about 1 MB."""
    path = folder / "day.mp4"
    if not path.exists():
        with av.open(str(path), "w") as out:
            stream = out.add_stream("mpeg4", rate=Fraction(2, 3), width=16, height=16, pix_fmt="yuv420p")
            stream.codec_context.time_base = Fraction(3, 2)
            for index in range(24 * 2400):
                picture = np.full((16, 16, 3), index % 251, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = index, Fraction(3, 2)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    return path
