"""The demo's actions: which limbs move x how they move, as poses over time.

Every action is a pair (limb, manner) such as ("right arm", "circle"). Its pose is the rest pose with the limb's end
carried along the manner's path, so an action that was never shown is a new pair of a limb and a manner that were.
Texts of the same pairs stand in descriptions/demo.csv, in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.made_body import SIDES, Pose

Array = NDArray[np.float64]

FRAMES_PER_SECOND = 30
LIMBS: dict[str, tuple[str, ...]] = {
    "right arm": ("right hand",),
    "left arm": ("left hand",),
    "both arms": ("right hand", "left hand"),
    "right leg": ("right foot",),
    "left leg": ("left foot",),
    "trunk": ("trunk",),
}
MANNERS = ("swing", "raise", "push", "circle", "shake")
ACTIONS = tuple((limb, manner) for limb in LIMBS for manner in MANNERS)  # A001, A002, ... in this order
CYCLES_PER_SECOND = {"swing": 0.9, "raise": 0.8, "push": 1.0, "circle": 0.9, "shake": 4.0}
REST_HAND = (0.12, -0.96, 0.08)  # (outward, up, forward) of the shoulder, in arm lengths
REST_FOOT = (0.05, -0.995, 0.0)  # of the hip, in leg lengths


@dataclass(frozen=True)
class Style:
    """How one person performs one clip."""

    tempo: float = 1.0  # times the manner's usual cycles a second
    amplitude: float = 1.0
    phase: float = 0.0  # radians
    direction: float = 1.0  # 1 or -1: which way round, or which side first
    lag: float = 0.0  # radians by which the weaker hand follows the other
    reach: tuple[float, float, float] = (0.0, 0.0, 0.0)  # where the limb's path lies, against its usual place
    slouch: float = 0.0  # radians that the trunk stoops forward at rest


def _swing_hand(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.25 + 0.55 * wave, 0.30 - 0.12 * wave**2, 0.60 - 0.15 * wave**2


def _raise_hand(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    elevation = 0.05 - 1.25 * quarter
    return 0.15 + 0.0 * wave, 0.95 * np.sin(elevation), 0.95 * np.cos(elevation)


def _push_hand(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.10 + 0.0 * wave, -0.10 + 0.0 * wave, 0.62 - 0.36 * quarter


def _circle_hand(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.25 + 0.42 * wave, 0.05 + 0.42 * quarter, 0.62 + 0.0 * wave


def _shake_hand(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.20 + 0.10 * wave, -0.15 + 0.14 * wave, 0.62 + 0.0 * wave


def _swing_foot(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.14 + 0.36 * wave, -0.90 + 0.06 * wave**2, 0.16 + 0.0 * wave


def _raise_foot(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.05 + 0.0 * wave, -0.68 - 0.26 * quarter, 0.20 - 0.14 * quarter


def _push_foot(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.05 + 0.0 * wave, -0.78 - 0.09 * quarter, 0.32 - 0.36 * quarter


def _circle_foot(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.14 + 0.26 * wave, -0.74 + 0.18 * quarter, 0.30 + 0.0 * wave


def _shake_foot(wave: Array, quarter: Array) -> tuple[Array, Array, Array]:
    return 0.12 + 0.08 * wave, -0.80 + 0.08 * wave, 0.30 + 0.0 * wave


Path = Callable[[Array, Array], tuple[Array, Array, Array]]
HAND_PATHS: dict[str, Path] = {
    "swing": _swing_hand,
    "raise": _raise_hand,
    "push": _push_hand,
    "circle": _circle_hand,
    "shake": _shake_hand,
}
FOOT_PATHS: dict[str, Path] = {
    "swing": _swing_foot,
    "raise": _raise_foot,
    "push": _push_foot,
    "circle": _circle_foot,
    "shake": _shake_foot,
}


def perform(limb: str, manner: str, frames: int, style: Style, rng: np.random.Generator) -> Pose:
    """The action (limb, manner) over `frames` frames at 30 a second, begun and ended at rest."""
    onset = _onset(frames)  # (T,)
    phase = style.phase + np.arange(frames) * (2 * np.pi * CYCLES_PER_SECOND[manner] * style.tempo / FRAMES_PER_SECOND)
    hands = {side: _at_rest(REST_HAND, sign, frames, rng) for side, sign in SIDES.items()}  # (T, 3) each
    feet = {side: _at_rest(REST_FOOT, sign, frames, rng, share=0.1) for side, sign in SIDES.items()}
    trunk = {key: 0.02 * smooth_noise(frames, rng) for key in ("lean_right", "lean_forward", "twist")}
    crouch = 0.003 + 0.002 * smooth_noise(frames, rng) ** 2
    trunk["lean_forward"] = trunk["lean_forward"] + style.slouch
    for number, part in enumerate(LIMBS[limb]):
        angle = phase - number * style.lag
        side = part.partition(" ")[0]
        if part == "trunk":
            bend, sink = _trunk(manner, angle, style)
            trunk = {key: trunk[key] + onset * bend[key] for key in trunk}
            crouch = crouch + onset * sink
        elif part.endswith("hand"):
            path = _limb_path(HAND_PATHS[manner], angle, style, SIDES[side])
            hands[side] = hands[side] + onset[:, None] * (path - _mirrored(REST_HAND, SIDES[side]))
        else:
            path = _limb_path(FOOT_PATHS[manner], angle, style, SIDES[side])
            feet[side] = feet[side] + onset[:, None] * (path - _mirrored(REST_FOOT, SIDES[side]))
            trunk["lean_right"] = trunk["lean_right"] - 0.08 * SIDES[side] * onset  # weight on the other leg
    return Pose(hands=hands, feet=feet, crouch=crouch, **trunk)


def _limb_path(path: Path, angle: Array, style: Style, sign: float) -> Array:
    """The limb's end (T, 3) in (right, up, forward); larger or smaller about the middle of the path."""
    points = np.stack(path(style.direction * np.sin(angle), np.cos(angle)), axis=-1)  # (T, 3)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    points = middle + style.amplitude * (points - middle) + np.asarray(style.reach)
    return points * np.array([sign, 1.0, 1.0])


def _trunk(manner: str, angle: Array, style: Style) -> tuple[dict[str, Array], Array]:
    """Bend (T,) about each axis and crouch (T,) of the trunk's five manners."""
    wave, quarter, still = style.direction * np.sin(angle), np.cos(angle), np.zeros_like(angle)
    bend = {"lean_right": still, "lean_forward": still, "twist": still}
    sink = still
    if manner == "swing":
        bend["lean_right"] = 0.45 * wave
    elif manner == "raise":
        sink, bend["lean_forward"] = 0.20 - 0.20 * quarter, 0.15 - 0.15 * quarter
    elif manner == "push":
        bend["lean_forward"] = 0.35 - 0.42 * quarter
    elif manner == "circle":
        bend["lean_right"], bend["lean_forward"] = 0.40 * wave, 0.12 + 0.36 * quarter
    else:
        bend["twist"], bend["lean_right"] = 0.28 * wave, 0.06 * wave
    return {key: style.amplitude * value for key, value in bend.items()}, style.amplitude * sink


def _mirrored(point: tuple[float, float, float], sign: float) -> Array:
    return np.asarray(point) * np.array([sign, 1.0, 1.0])


def _at_rest(
    point: tuple[float, float, float], sign: float, frames: int, rng: np.random.Generator, share: float = 1.0
) -> Array:
    """A hand or foot (T, 3) that hangs or stands, and sways a little."""
    sway = np.stack([smooth_noise(frames, rng) for _ in range(3)], axis=-1)  # (T, 3)
    return _mirrored(point, sign) + 0.02 * share * sway


def _onset(frames: int) -> Array:
    """0 at rest, 1 in full motion: up over the first eighth of the clip, down over the last one."""
    time = np.linspace(0.0, 1.0, frames)
    ramp = np.clip(np.minimum(time, 1.0 - time) * 8.0, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def smooth_noise(frames: int, rng: np.random.Generator) -> Array:
    """Slow random sway (T,), about 1 in size: three sines below one cycle a second."""
    time = np.arange(frames) / FRAMES_PER_SECOND
    cycles, phase, size = rng.uniform(0.1, 0.9, 3), rng.uniform(0.0, 2 * np.pi, 3), rng.normal(0.0, 0.6, 3)
    waves: Array = size @ np.sin(2 * np.pi * cycles[:, None] * time + phase[:, None])
    return waves
