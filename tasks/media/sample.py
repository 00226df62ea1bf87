"""Makes the demonstration video: a storm over a harbour, drawn, spoken and subtitled.

`python -m tasks.media.sample OUT.mp4 [--seconds N]`
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tasks.media.movie import write_movie
from tasks.media.pictures import Picture
from tasks.media.speech import RATE, speak
from tasks.media.subtitles import Cue

WIDTH, HEIGHT, FPS = 1280, 720, 25
BLACK_SECONDS = 0.5
#: Svolvær harbour, and an evening in November.
TAGS = {
    "title": "A storm in the harbour",
    "creation_time": "2025-11-14T17:30:00Z",
    "location": "+68.2342+014.5683/",
    "com.apple.quicktime.location.ISO6709": "+68.2342+014.5683+004.000/",
}
_PAUSE_SECONDS = 0.6

Colour = tuple[int, int, int]
Sound = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Scene:
    """A sentence, how to draw its picture `t` seconds after the cut, and its sky from above to below."""

    sentence: str
    draw: Callable[[Picture, float], None]
    above: Colour
    below: Colour


def _sea(canvas: Picture, t: float, level: int, height: int, colour: Colour) -> None:
    """Three rows of waves that move at their own speeds, the nearest one the brightest."""
    x = np.arange(0, WIDTH + 16, 16)
    for row in range(3):
        y = level + 55 * row + height * np.sin(x / (90 + 40 * row) + t * (2.2 - 0.5 * row) + row)
        edge = np.stack([x, y], axis=1).astype(np.int32)
        corners = np.array([[WIDTH, HEIGHT], [0, HEIGHT]], np.int32)
        shade = tuple(min(255, int(c * (0.7 + 0.3 * row))) for c in colour)
        cv2.fillPoly(canvas, [np.concatenate([edge, corners])], shade)


@cache
def _drops() -> npt.NDArray[np.float64]:
    return np.random.default_rng(7).random((140, 2))


def _rain(canvas: Picture, t: float) -> None:
    for x0, y0 in _drops():
        x, y = int((x0 - 0.12 * t) % 1 * WIDTH), int((y0 + 1.3 * t) % 1 * HEIGHT)
        cv2.line(canvas, (x, y), (x - 8, y + 26), (190, 190, 185), 1)


def _boat(canvas: Picture, x: float, y: float, tilt: float, hull: Colour) -> None:
    outline = np.array([[-120, 0], [120, 0], [85, 55], [-85, 55]], float)
    cabin = np.array([[-50, 0], [30, 0], [20, -60], [-40, -60]], float)
    mast = np.array([[-4, -60], [4, -60], [4, -150], [-4, -150]], float)
    turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    for shape, colour in ((outline, hull), (cabin, (225, 225, 225)), (mast, (60, 60, 70))):
        cv2.fillPoly(canvas, [(shape @ turn.T + (x, y)).astype(np.int32)], colour)


def _warning(canvas: Picture, t: float) -> None:
    _sea(canvas, t, 470, 22, (120, 80, 40))
    cv2.rectangle(canvas, (0, 440), (330, HEIGHT), (58, 58, 62), -1)
    place = (140, 250)
    cv2.putText(canvas, "HARBOUR STORM", place, cv2.FONT_HERSHEY_DUPLEX, 3.6, (240, 240, 240), 8, cv2.LINE_AA)


def _lighthouse(canvas: Picture, t: float) -> None:
    angle = t * 1.5
    lamp = (900, 210)
    beam = [
        (int(lamp[0] + 1500 * math.cos(angle + d)), int(lamp[1] + 500 * math.sin(angle + d)))
        for d in (-0.1, 0.1)
    ]
    cv2.fillPoly(canvas, [np.array([lamp, *beam], np.int32)], (120, 220, 250))
    tower = np.array([[860, 620], [940, 620], [922, 220], [878, 220]], np.int32)
    cv2.fillPoly(canvas, [tower], (215, 215, 235))
    for y in range(280, 600, 110):
        cv2.rectangle(canvas, (866, y), (934, y + 50), (40, 40, 200), -1)
    cv2.circle(canvas, lamp, 26, (190, 250, 255), -1)
    _sea(canvas, t, 580, 14, (60, 40, 20))


def _fishing_boat(canvas: Picture, t: float) -> None:
    _sea(canvas, t, 380, 46, (105, 120, 70))
    _boat(
        canvas,
        620 + 60 * math.sin(t),
        420 + 40 * math.sin(2.2 * t),
        0.28 * math.sin(2.2 * t + 1),
        (60, 50, 150),
    )
    _rain(canvas, t)


def _quay(canvas: Picture, t: float) -> None:
    cv2.rectangle(canvas, (0, 560), (WIDTH, HEIGHT), (70, 74, 78), -1)
    for i, colour in enumerate(
        [(40, 90, 200), (160, 100, 30), (50, 150, 60), (40, 170, 220), (120, 60, 120)]
    ):
        x, y = 80 + 170 * i, 460 - 100 * (i % 2)
        cv2.rectangle(canvas, (x, y), (x + 150, 560), colour, -1)
        cv2.rectangle(canvas, (x, y), (x + 150, 560), (30, 30, 30), 3)
    cv2.line(canvas, (1080, 560), (1080, 90), (20, 120, 230), 26)
    cv2.line(canvas, (1170, 110), (560, 110), (20, 120, 230), 18)
    hook = int(700 + 120 * math.sin(0.8 * t))
    cv2.line(canvas, (hook, 110), (hook + int(20 * math.sin(3 * t)), 330), (30, 30, 30), 5)
    _rain(canvas, t)


def _rescue(canvas: Picture, t: float) -> None:
    cv2.circle(canvas, (1040, 150), 70, (150, 235, 255), -1)
    _sea(canvas, t, 440, 26, (165, 135, 30))
    _boat(canvas, 200 + 130 * t, 450 + 16 * math.sin(3 * t), 0.1 * math.sin(3 * t), (20, 110, 255))


def _morning(canvas: Picture, t: float) -> None:
    cv2.circle(canvas, (420, int(430 - 30 * t)), 95, (120, 200, 255), -1)
    _sea(canvas, t * 0.4, 500, 6, (170, 140, 150))
    for i in range(4):
        x, y = int(300 + 190 * i + 70 * t), int(150 + 40 * (i % 2) + 12 * math.sin(4 * t + i))
        cv2.polylines(
            canvas, [np.array([[x - 30, y - 12], [x, y], [x + 30, y - 12]], np.int32)], False, (50, 40, 60), 5
        )


SCENES = (
    Scene("A storm is coming to the harbour tonight.", _warning, (70, 40, 20), (130, 90, 60)),
    Scene(
        "The lighthouse keeper turns on the beam to guide the fishing boats home.",
        _lighthouse,
        (25, 8, 5),
        (60, 25, 25),
    ),
    Scene(
        "High waves hit a fishing boat outside the harbour wall.",
        _fishing_boat,
        (110, 120, 105),
        (150, 160, 145),
    ),
    Scene(
        "On the quay the crane stops, and the crew ties down the containers.",
        _quay,
        (125, 105, 140),
        (165, 160, 175),
    ),
    Scene(
        "The rescue boat leaves the harbour and brings the fishermen back.",
        _rescue,
        (235, 190, 120),
        (245, 225, 190),
    ),
    Scene(
        "In the morning the storm is over and the harbour is calm.",
        _morning,
        (140, 110, 210),
        (160, 200, 250),
    ),
)


def make_sample(path: Path, seconds: float = 24.0) -> list[Cue]:
    """Writes the video, about `seconds` long (whole scenes, the first one always), and returns its cues."""
    scenes, sounds, cues, cuts = _script(seconds)
    write_movie(
        path, _pictures(scenes, cuts), FPS, sound=np.concatenate(sounds), rate=RATE, cues=cues, tags=TAGS
    )
    return cues


def _script(seconds: float) -> tuple[list[Scene], list[Sound], list[Cue], list[float]]:
    """Scenes in turn until the time is up: sounds, cues, and where each begins and the last ends."""
    scenes: list[Scene] = []
    sounds: list[Sound] = []
    cues: list[Cue] = []
    cuts = [0.0]
    for scene in cycle(SCENES):
        lead = BLACK_SECONDS if not scenes else 0.0
        words = speak(scene.sentence)
        # Whole frames, so that sound, cues and cuts stay together.
        length = math.ceil((lead + len(words) / RATE + _PAUSE_SECONDS) * FPS) / FPS
        if scenes and cuts[-1] + length / 2 > seconds:
            break
        sound = np.zeros(round(length * RATE), np.int16)
        start = lead + _PAUSE_SECONDS / 2
        sound[round(start * RATE) :][: len(words)] = words
        cues.append(Cue(cuts[-1] + start, cuts[-1] + start + len(words) / RATE, scene.sentence))
        scenes.append(scene)
        sounds.append(sound)
        cuts.append(cuts[-1] + length)
    return scenes, sounds, cues, cuts


def _pictures(scenes: list[Scene], cuts: list[float]) -> Iterator[Picture]:
    for index, scene in enumerate(scenes):
        start, end = round(cuts[index] * FPS), round(cuts[index + 1] * FPS)
        sky = _sky(scene.above, scene.below)
        for frame in range(start, end):
            if frame < BLACK_SECONDS * FPS:
                yield np.zeros_like(sky)
                continue
            canvas = sky.copy()
            scene.draw(canvas, (frame - start) / FPS)
            yield canvas


def _sky(above: Colour, below: Colour) -> Picture:
    shade = np.linspace(above, below, HEIGHT)[:, None, :]
    return np.ascontiguousarray(np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).astype(np.uint8))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tasks.media.sample", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=24.0)
    asked = parser.parse_args()
    make_sample(asked.out, asked.seconds)


if __name__ == "__main__":
    main()
