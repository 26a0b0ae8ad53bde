"""Checks of directions: which way is up, which side is left, and whether the person faces the camera.

Letters: V = 25 joints, F moments.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.checks.finding import Finding
from data.checks.moments import Moments, Points, dot, length, middle, positive, root_mean_square
from data.joints import JOINT_NAMES, NUM_JOINTS

# The cosine between y and feet -> head, which a quarter of the frames exceeds: 0.95 to 1 in all real clips.
UPRIGHT = 0.65  # below it the body lies, or another axis points up
HEADFIRST = -0.5  # a body that is below it in half of the frames is upside down
# Right shoulder - left shoulder along x, as a share of their distance. In the first frame, by which a recipe turns a
# clip: below -0.1 in 4 of the 567 clips of MSR-Action3D, 0.46 or more in the samples. In the middle of the frames:
# below -0.1 in one clip of MSR-Action3D and in one of motion capture, in which the person turns about.
FACING = -0.1
# See `_forwardness`. Real clips: 0.50 to 2.7, or 0.12 to 1.6 without toes; a mirrored clip has the negative.
FORWARD = -0.05
# The cosine between left hip -> right hip and left shoulder -> right shoulder: 0.64 or more in all real clips.
TWISTED = -0.3


def _weights(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each joint (V,) counts in `_forwardness`; the weights of each group of joints sum to zero."""
    weights = np.zeros(NUM_JOINTS)
    for group in _FRONT:
        for side in ("left", "right"):
            joints = [JOINT_NAMES.index(f"{side}_{part}") for part in group]
            if present[joints].all():
                weights[joints] += list(group.values())
    return weights


_SIDES, _UPRIGHT = ("left", "right"), ("shoulder", "hip", "ankle")
_FRONT = (
    {"foot": 1.5, "ankle": -1.5},  # toes are in front of ankles; nothing in a layout without feet
    {"wrist": 0.5, "shoulder": -0.5},  # wrists are held in front of shoulders
    {"knee": 1.0, "hip": -0.5, "ankle": -0.5},  # knees bend to the front
    {"elbow": -0.5, "shoulder": 0.25, "wrist": 0.25},  # elbows bend to the back
)
_WEIGHTS = _weights(np.ones(NUM_JOINTS, np.bool_))


def direction_findings(moments: Moments) -> Iterator[Finding]:
    """Find another axis than y that points up, sides that are exchanged or mirrored, and a person who faces away."""
    if not moments.has("head", "spine_base", "spine_shoulder", *(f"{s}_{p}" for p in _UPRIGHT for s in _SIDES)):
        return
    shoulders = moments.at("right_shoulder") - moments.at("left_shoulder")  # (3, F)
    hips = moments.at("right_hip") - moments.at("left_hip")
    twist = float(np.vdot(shoulders, hips)) / max(float(np.linalg.norm(shoulders) * np.linalg.norm(hips)), 1e-12)
    if twist < TWISTED:
        yield Finding(
            "sides",
            f"The shoulders point from left to right where the hips point from right to left (cosine {twist:.2f}).",
            "Left and right are exchanged in the arms or in the legs: check the names of the joints.",
        )
        return
    forward = _forwardness(moments, shoulders + hips)
    mirrored = forward < FORWARD
    body = moments.at("head") - (moments.at("left_ankle") + moments.at("right_ankle")) / 2  # (3, F)
    cosines = np.sort(body[1] / positive(length(body)))
    lies = cosines[3 * len(cosines) // 4] < UPRIGHT
    facing = shoulders[0] / positive(length(shoulders))
    if lies or mirrored or min(middle(facing), facing[0]) < FACING:
        turned = _turned(body.mean(axis=1), shoulders.mean(axis=1), mirrored)
        if lies:
            yield _lying(float(cosines[len(cosines) // 2]), turned)
        if mirrored:
            yield _mirrored(forward, lies, turned)
        if not lies and not mirrored:
            yield _facing_away(facing)


def _turned(up: Points, right: Points, mirrored: bool) -> str:
    """The axes that make a person upright and face the camera, such as "(-x, z, y)".

    `up` points from feet to head, `right` from the left to the right shoulder, both (3,).
    """
    to_y = int(np.abs(up).argmax())
    to_x = int(np.abs(np.where(np.arange(3) == to_y, 0, right)).argmax())
    matrix = np.zeros((3, 3))
    matrix[0, to_x], matrix[1, to_y] = np.copysign(1, right[to_x]), np.copysign(1, up[to_y])
    matrix[2] = np.cross(matrix[0], matrix[1]) * (-1 if mirrored else 1)
    return f"({', '.join(('-' if row.sum() < 0 else '') + 'xyz'[int(np.abs(row).argmax())] for row in matrix)})"


def _lying(cosine: float, turned: str) -> Finding:
    what = "stands on its head" if cosine < HEADFIRST else "lies, or another axis than y points up"
    return Finding(
        "up axis",
        f"The body {what}: the cosine between y and the line from the feet to the head is {cosine:.2f}.",
        f"y must point up. If the person stands, (x, y, z) must become {turned}.",
    )


def _mirrored(forward: float, lies: bool, turned: str) -> Finding:
    cause = "An axis is reversed or two are exchanged" if lies else "The film or an axis is mirrored"
    return Finding(
        "sides",
        f"The body is mirrored: toes, knees and wrists point backwards by {-forward:.2f} torso lengths.",
        f"{cause}, and (x, y, z) must become {turned}; or the names of left and right are exchanged.",
    )


def _facing_away(facing: NDArray[np.float64]) -> Finding:
    always = middle(facing) < FACING
    return Finding(
        "facing",
        f"The person faces away from the camera {'in most frames' if always else 'in the first frame'}: the right "
        f"shoulder is at smaller x than the left one (cosine {middle(facing) if always else facing[0]:.2f}).",
        "If the person did face the camera, (x, y, z) must become (-x, y, -z). If not, turn the clip about y so that "
        "the first frame faces the camera, because recipes turn a clip by that frame.",
    )


def _forwardness(moments: Moments, across: Points) -> float:
    """How far toes, wrists, knees and elbows (_FRONT) are on the side that must be the front, in torso lengths.

    The front is computed from where left, right, top and bottom are, so that it is the back in a mirrored body. Without
    the toes each part is weak by itself, but their sum was right in all real clips.
    """
    spine = moments.at("spine_shoulder") - moments.at("spine_base")  # (3, F)
    front = _cross(spine, across)
    front /= positive(length(front))
    weights = _WEIGHTS if moments.complete else _weights(moments.present)
    return float(dot(front, weights @ moments.joints).mean()) / max(root_mean_square(spine), 1e-12)


def _cross(one: Points, other: Points) -> Points:
    (a, b, c), (d, e, f) = one, other
    return np.stack((b * f - c * e, c * d - a * f, a * e - b * d))
