"""What a look at a clip's numbers tells about units, axes and sides: the first mistakes when data comes from elsewhere.

Letters: T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES
from pipeline.pages.skeleton_player import MovingSkeleton

SPAN_M = (0.5, 2.6)  # a tracked person, crouching child to tall adult with raised hands, reaches about this far
HEAD, FEET = JOINT_NAMES.index("head"), tuple(JOINT_NAMES.index(f"{side}_ankle") for side in ("left", "right"))


@dataclass(frozen=True)
class Check:
    """One finding; `wrong` when the data are probably not what they must be."""

    text: str
    wrong: bool = False


def checks(clip: MovingSkeleton) -> list[Check]:
    """How large, how upright and how handed the bodies of `clip` are, a sentence each."""
    found: list[Check] = []
    for body in range(clip.joints.shape[1]):
        joints, there = clip.joints[:, body].astype(np.float64), clip.present[:, body]
        whole = there.all(axis=1)
        name = f"body {body + 1}" if clip.joints.shape[1] > 1 else "the body"
        if not there.any():
            found.append(Check(f"{name.capitalize()} is in no frame.", wrong=body == 0))
        elif whole.any():
            found += _of_body(name, joints[whole] @ clip.view().T, int(there.any(axis=1).sum()), len(joints))
    return found


def _of_body(name: str, joints: NDArray[np.float64], frames: int, of: int) -> list[Check]:
    """Checks of whole frames (T, V, 3) in a viewer's axes: right, up, towards the viewer."""
    size = float(np.median(np.ptp(joints, axis=1).max(axis=1)))
    found = [Check(f"{name.capitalize()} is in {frames} of {of} frames; from end to end it measures {size:.2f} m.")]
    low, high = SPAN_M
    if not low <= size <= high:
        found.append(Check(f"{size:.3g} m is no person's size: coordinates must be metres.", wrong=True))
    upright = joints[:, HEAD] - joints[:, FEET].mean(axis=1)  # (T, 3)
    share = float(np.median(upright[:, 1] / np.linalg.norm(upright, axis=1).clip(1e-9)))
    if share < -0.5:
        found.append(Check(f"{name.capitalize()} stands on its head: the axis that points up is reversed.", wrong=True))
    elif share < 0.5:
        found.append(Check(f"{name.capitalize()} lies or bends, or another axis points up.", wrong=True))
    handed = _handedness(joints)
    if handed < 0:
        found.append(
            Check(
                f"The feet of {name} point backwards: left and right are swapped, or an axis is mirrored.", wrong=True
            )
        )
    return found


def _handedness(joints: NDArray[np.float64]) -> float:
    """> 0 when the feet point where left, right, top and bottom say that the front is; < 0 when mirrored."""

    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(joints[:, JOINT_NAMES.index(name)])

    across = at("right_hip") - at("left_hip") + at("right_shoulder") - at("left_shoulder")
    front = np.cross(at("spine_shoulder") - at("spine_base"), across)
    toes = at("left_foot") - at("left_ankle") + at("right_foot") - at("right_ankle")
    return float(np.median((front * toes).sum(axis=1)))
