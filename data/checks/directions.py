"""Checks of directions: which way is up, which side is left, and whether the person faces the camera.

Letters: V = 25 joints, F moments.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.checks.finding import Finding
from data.checks.moments import Moments, Points, dot, length, middle, positive
from data.joints import JOINT_NAMES, NUM_JOINTS

# The cosine between y and feet -> head: 0.92 to 1 in the middle of all real clips.
UPRIGHT = 0.5  # a clip in which three quarters of the frames are below it lies, or another axis points up
HEADFIRST = -0.5  # a clip in which half of the frames are below it is upside down
# Right shoulder - left shoulder along x, as a share of their distance. In the first frame, by which a recipe turns a
# clip: -0.1 or less in 3 clips of MSR-Action3D, 0.46 or more in the samples.
FACING = -0.1
# See `_forwardness`. Real clips: 0.40 to 3.2 with the toes, 0.09 to 1.5 without; a mirrored one has the negative.
FORWARD = -0.05
# The cosine between left hip -> right hip and left shoulder -> right shoulder: 0.59 or more in all real clips.
TWISTED = -0.3
TURNS = {  # where feet -> head points, and the rotation that brings it to +y
    "+x": "(-y, x, z)",
    "-x": "(y, -x, z)",
    "-y": "(-x, -y, z) or (x, -y, -z)",
    "+z": "(x, z, -y) or (-x, z, y)",
    "-z": "(x, -z, y) or (-x, -z, -y)",
}


def _weights(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each joint (V,) counts in `_forwardness`; the weights of each group of joints sum to zero."""
    weights = np.zeros(NUM_JOINTS)
    for group in _FRONT:
        for side in ("left", "right"):
            joints = [JOINT_NAMES.index(f"{side}_{part}") for part in group]
            if present[joints].all():
                weights[joints] += list(group.values())
    return weights


_FRONT = (
    {"foot": 1.5, "ankle": -1.5},  # toes are in front of ankles; nothing in a layout without feet
    {"wrist": 0.5, "shoulder": -0.5},  # wrists are held in front of shoulders
    {"knee": 1.0, "hip": -0.5, "ankle": -0.5},  # knees bend to the front
    {"elbow": -0.5, "shoulder": 0.25, "wrist": 0.25},  # elbows bend to the back
)
_WEIGHTS = _weights(np.ones(NUM_JOINTS, np.bool_))


def direction_findings(moments: Moments) -> Iterator[Finding]:
    """Find another axis than y that points up, sides that are exchanged or mirrored, and a person who faces away."""
    up = _up_finding(moments)
    if up:
        yield up
    if not moments.has("spine_base", "spine_shoulder", "left_shoulder", "right_shoulder", "left_hip", "right_hip"):
        return
    shoulders = moments.at("right_shoulder") - moments.at("left_shoulder")  # (3, F)
    hips = moments.at("right_hip") - moments.at("left_hip")
    twist = middle(dot(shoulders, hips) / positive(length(shoulders) * length(hips)))
    if twist < TWISTED:
        yield Finding(
            "sides",
            f"The shoulders point from left to right where the hips point from right to left (cosine {twist:.2f}).",
            "Left and right are exchanged in the arms or in the legs: check the names of the joints.",
        )
        return
    facing = shoulders[0] / positive(length(shoulders))
    forward = _forwardness(moments, shoulders + hips)
    if forward < FORWARD:
        yield _mirrored(forward, middle(facing), bool(up))
    elif not up:
        yield from _facing_findings(facing)


def _up_finding(moments: Moments) -> Finding | None:
    if not moments.has("head"):
        return None
    feet = "ankle" if moments.has("left_ankle", "right_ankle") else "hip"
    if not moments.has(f"left_{feet}", f"right_{feet}"):
        return None
    body = moments.at("head") - (moments.at(f"left_{feet}") + moments.at(f"right_{feet}")) / 2
    body = body / positive(length(body))
    cosines = np.sort(body[1])
    if cosines[3 * len(cosines) // 4] >= UPRIGHT:
        return None
    mean = body.mean(axis=1)
    axis = int(np.abs(mean).argmax())
    towards = f"{'-' if mean[axis] < 0 else '+'}{'xyz'[axis]}"
    upside_down = cosines[len(cosines) // 2] < HEADFIRST
    what = "stands on its head" if upside_down else "lies, or another axis than y points up"
    turn = f" If it should stand, turn the coordinates: (x, y, z) becomes {TURNS[towards]}." if towards in TURNS else ""
    return Finding(
        "up axis",
        f"The body {what}: from the feet to the head it points along {towards} ({abs(mean[axis]):.2f} of its length).",
        f"y must point up.{turn}",
    )


def _forwardness(moments: Moments, across: Points) -> float:
    """How far toes, wrists, knees and elbows (_FRONT) are on the side that must be the front, in torso lengths.

    The front is computed from where left, right, top and bottom are, so that it is the back in a mirrored body. Without
    the toes each part is weak by itself, but their sum was right in all real clips.
    """
    spine = moments.at("spine_shoulder") - moments.at("spine_base")  # (3, F)
    front = _cross(spine, across)
    front /= positive(length(front))
    weights = _WEIGHTS if moments.present.all() else _weights(moments.present)
    return float(dot(front, weights @ moments.joints).mean()) / middle(positive(length(spine)))


def _mirrored(forward: float, facing: float, lies: bool) -> Finding:
    if lies:
        fits = "An axis is reversed, or two axes are exchanged."
    elif facing < 0:
        fits = "The names of left and right are exchanged, or x is reversed (a mirrored, selfie film)."
    else:
        fits = "z is reversed, or left and right are exchanged in a person who faces away."
    return Finding(
        "sides",
        f"The body is mirrored: toes, knees and wrists point backwards by {-forward:.2f} torso lengths.",
        f"{fits} Right shoulders must be at greater x than left ones when a person faces the camera.",
    )


def _facing_findings(facing: Points) -> Iterator[Finding]:
    most = middle(facing)
    if min(most, facing[0]) < FACING:
        when = "in most frames" if most < FACING else "in the first frame"
        yield Finding(
            "facing",
            f"The person faces away from the camera {when}: the right shoulder is at smaller x than the left one "
            f"(cosine {most if most < FACING else facing[0]:.2f}).",
            "If this is not what happened, turn the coordinates: (x, y, z) becomes (-x, y, -z). If it is, turn the "
            "clip so that the person faces the camera in the first frame, by which recipes turn it.",
        )


def _cross(one: Points, other: Points) -> Points:
    (a, b, c), (d, e, f) = one, other
    return np.stack((b * f - c * e, c * d - a * f, a * e - b * d))
