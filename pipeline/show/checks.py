"""Checks of a clip's units, axes and sides, which are what goes wrong first with data from elsewhere.

Letters: T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES
from pipeline.pages.skeleton_player import MovingSkeleton

SPAN_M = (0.5, 2.6)  # the size of a tracked person: a crouching child to a tall adult with raised hands
HEAD, FEET = JOINT_NAMES.index("head"), tuple(JOINT_NAMES.index(f"{side}_ankle") for side in ("left", "right"))


@dataclass(frozen=True)
class Check:
    """One finding, a sentence. `wrong` says that the data are probably not as they must be."""

    text: str
    wrong: bool = False


def checks(clip: MovingSkeleton) -> list[Check]:
    """Check the size, the upright axis and the handedness of every body of `clip`."""
    findings: list[Check] = []
    frames, bodies = clip.joints.shape[:2]
    for body in range(bodies):
        joints, present = clip.joints[:, body].astype(np.float64), clip.present[:, body]  # (T, V, 3), (T, V)
        complete = present.all(axis=1)  # (T,)
        name = f"body {body + 1}" if bodies > 1 else "the body"
        if not present.any():
            findings.append(Check(f"{name.capitalize()} is in no frame.", wrong=body == 0))
        elif complete.any():
            present_frames = int(present.any(axis=1).sum())
            findings += _check_body(name, joints[complete] @ clip.view().T, present_frames, frames)
    return findings


def _check_body(name: str, joints: NDArray[np.float64], present_frames: int, frames: int) -> list[Check]:
    """Check the frames (T, V, 3) that hold all joints of a body; the axes are right, up, towards the viewer."""
    size_m = float(np.median(np.ptp(joints, axis=1).max(axis=1)))
    seen = f"{name.capitalize()} is in {present_frames} of {frames} frames"
    findings = [Check(f"{seen}; from end to end it measures {size_m:.2f} m.")]
    shortest_m, longest_m = SPAN_M
    if not shortest_m <= size_m <= longest_m:
        findings.append(Check(f"{size_m:.3g} m is no person's size: coordinates must be metres.", wrong=True))
    feet_to_head = joints[:, HEAD] - joints[:, FEET].mean(axis=1)  # (T, 3)
    uprightness = float(np.median(feet_to_head[:, 1] / np.linalg.norm(feet_to_head, axis=1).clip(1e-9)))  # a cosine
    if uprightness < -0.5:
        upside_down = f"{name.capitalize()} stands on its head: the axis that points up is reversed."
        findings.append(Check(upside_down, wrong=True))
    elif uprightness < 0.5:
        findings.append(Check(f"{name.capitalize()} lies or bends, or another axis points up.", wrong=True))
    if _handedness(joints) < 0:
        mirrored = f"The feet of {name} point backwards: left and right are swapped, or an axis is mirrored."
        findings.append(Check(mirrored, wrong=True))
    return findings


def _handedness(joints: NDArray[np.float64]) -> float:
    """Positive when the toes of `joints` (T, V, 3) point to the front, negative when the body is mirrored.

    The front is computed from where left, right, top and bottom are.
    """

    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(joints[:, JOINT_NAMES.index(name)])

    across = at("right_hip") - at("left_hip") + at("right_shoulder") - at("left_shoulder")
    front = np.cross(at("spine_shoulder") - at("spine_base"), across)
    toes = at("left_foot") - at("left_ankle") + at("right_foot") - at("right_ankle")
    return float(np.median((front * toes).sum(axis=1)))
