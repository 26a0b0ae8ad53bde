"""The actions of the demo, as poses over time.

A movement is a limb and a manner, such as ("right arm", "swing"). An action is a movement of the arms together with a
movement of legs or trunk. So an unseen action is a new pair of seen movements. descriptions/demo.csv holds the texts of
the pairs in the same order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.demo.made_body import SIDES, Array, Pose

FRAMES_PER_SECOND = 30
Movement = tuple[str, str]  # limb, manner
Triple = tuple[float, float, float]

ARM_MOVEMENTS: tuple[Movement, ...] = (
    ("right arm", "swing"),
    ("left arm", "circle"),
    ("both arms", "raise"),
    ("both arms", "push"),
    ("left arm", "shake"),
)
BODY_MOVEMENTS: tuple[Movement, ...] = (
    ("right leg", "raise"),
    ("left leg", "swing"),
    ("right leg", "push"),
    ("trunk", "raise"),
    ("trunk", "swing"),
)
ACTIONS = tuple((arms, body) for arms in ARM_MOVEMENTS for body in BODY_MOVEMENTS)  # A001, A002, ... in this order

LIMBS = {  # limb -> the ends of the body that it moves, named as in made_body.Pose
    "right arm": ("right hand",),
    "left arm": ("left hand",),
    "both arms": ("right hand", "left hand"),
    "right leg": ("right foot",),
    "left leg": ("left foot",),
    "trunk": ("trunk",),
}
ENDS = ("right hand", "left hand", "right foot", "left foot", "trunk")
REST: dict[str, Triple] = {"hand": (0.12, -0.96, 0.08), "foot": (0.05, -0.995, 0.0), "trunk": (0.0, 0.0, 0.005)}
SWAY: dict[str, Triple] = {"hand": (0.02, 0.02, 0.02), "foot": (0.002, 0.002, 0.002), "trunk": (0.02, 0.02, 0.001)}
CYCLES_PER_SECOND = {"swing": 0.9, "raise": 0.8, "push": 1.0, "circle": 0.9, "shake": 4.0}
HIP_SHIFT = 0.08  # radians by which the trunk leans towards the standing leg while the other leg moves


@dataclass(frozen=True)
class Trajectory:
    """The closed path of one end: at angle a it is at middle + sine sin a + cosine cos a + bulge sin^2 a.

    Coordinates are those of made_body.Pose for a right limb; a left limb mirrors them.
    """

    middle: Triple
    sine: Triple = (0.0, 0.0, 0.0)
    cosine: Triple = (0.0, 0.0, 0.0)
    bulge: Triple = (0.0, 0.0, 0.0)

    def points(self, angle: Array, style: "Style") -> Array:
        """The positions (T, 3) at `angle` (T,), scaled about the middle by the style's amplitude."""
        sine, cosine = style.direction * np.sin(angle), np.cos(angle)
        offset = np.outer(sine, self.sine) + np.outer(cosine, self.cosine) + np.outer(sine**2, self.bulge)
        points: Array = np.asarray(self.middle) + style.amplitude * offset
        return points


TRAJECTORIES = {  # by end and manner
    ("hand", "swing"): Trajectory((0.25, 0.30, 0.60), sine=(0.55, 0.0, 0.0), bulge=(0.0, -0.12, -0.15)),
    ("hand", "raise"): Trajectory((0.15, 0.00, 0.25), cosine=(0.0, -0.92, 0.0), bulge=(0.0, 0.0, 0.65)),
    ("hand", "push"): Trajectory((0.10, -0.10, 0.62), cosine=(0.0, 0.0, -0.36)),
    ("hand", "circle"): Trajectory((0.25, 0.05, 0.62), sine=(0.42, 0.0, 0.0), cosine=(0.0, 0.42, 0.0)),
    ("hand", "shake"): Trajectory((0.20, -0.30, 0.55), sine=(0.10, 0.14, 0.0)),
    ("foot", "swing"): Trajectory((0.14, -0.90, 0.16), sine=(0.36, 0.0, 0.0), bulge=(0.0, 0.06, 0.0)),
    ("foot", "raise"): Trajectory((0.05, -0.68, 0.20), cosine=(0.0, -0.26, -0.14)),
    ("foot", "push"): Trajectory((0.05, -0.78, 0.32), cosine=(0.0, -0.09, -0.36)),
    ("trunk", "raise"): Trajectory((0.0, 0.15, 0.20), cosine=(0.0, -0.15, -0.20)),
    ("trunk", "swing"): Trajectory((0.0, 0.00, 0.005), sine=(0.45, 0.0, 0.0)),
}


@dataclass(frozen=True)
class Style:
    """How one person performs one clip."""

    tempo: float = 1.0  # factor on the manner's CYCLES_PER_SECOND
    amplitude: float = 1.0
    direction: float = 1.0  # 1 or -1: which way round, or which side first
    lag: float = 0.0  # radians by which the left hand follows the right one
    reach: Triple = (0.0, 0.0, 0.0)  # shift of the trajectories of hands and feet
    slouch: float = 0.0  # radians by which the trunk stoops forward at rest


def perform(movements: Sequence[Movement], frames: int, style: Style, rng: np.random.Generator) -> Pose:
    """The pose over `frames` frames, 30 a second, with all `movements` at once. It begins and ends at rest."""
    onset = _onset(frames)[:, None]  # (T, 1)
    ends = {end: _resting(end, frames, rng) for end in ENDS}
    ends["trunk"][:, 1] += style.slouch
    for limb, manner in movements:
        pace = 2 * np.pi * CYCLES_PER_SECOND[manner] * style.tempo / FRAMES_PER_SECOND
        angle = rng.uniform(0.0, 2 * np.pi) + pace * np.arange(frames)  # (T,)
        for number, end in enumerate(LIMBS[limb]):
            kind = _kind(end)
            points = TRAJECTORIES[kind, manner].points(angle - number * style.lag, style)  # (T, 3)
            if kind != "trunk":
                points += style.reach
            ends[end] += onset * (points - REST[kind]) * _mirror(end)
            if kind == "foot":
                ends["trunk"][:, :1] -= HIP_SHIFT * onset * _mirror(end)[0]
    return ends


def _kind(end: str) -> str:
    return end.split()[-1]


def _mirror(end: str) -> Array:
    """The factors (3,) that turn the coordinates of a right end into those of `end`."""
    return np.array([SIDES.get(end.split()[0], 1.0), 1.0, 1.0])


def _resting(end: str, frames: int, rng: np.random.Generator) -> Array:
    """The positions (T, 3) of an end at rest, swaying a little."""
    sway = np.stack([smooth_noise(frames, rng) for _ in range(3)], axis=-1)  # (T, 3)
    return np.asarray(REST[_kind(end)]) * _mirror(end) + np.asarray(SWAY[_kind(end)]) * sway


def _onset(frames: int) -> Array:
    """The share of full motion (T,): it rises from 0 to 1 in the first eighth of the clip and falls in the last."""
    time = np.linspace(0.0, 1.0, frames)
    ramp: Array = np.clip(np.minimum(time, 1.0 - time) * 8.0, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def smooth_noise(frames: int, rng: np.random.Generator) -> Array:
    """Slow random sway (T,), about 1 in size: three sines below one cycle a second."""
    time = np.arange(frames) / FRAMES_PER_SECOND
    cycles, phase, size = rng.uniform(0.1, 0.9, 3), rng.uniform(0.0, 2 * np.pi, 3), rng.normal(0.0, 0.6, 3)
    waves: Array = size @ np.sin(2 * np.pi * cycles[:, None] * time + phase[:, None])
    return waves
