"""What is said below a shown clip: how large each body is, and what data.checks finds in it.

Letters: T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.checks.findings import check_clip
from data.clean.body_size import body_sizes_m, median_size_m
from data.joints import SPINE_MID
from pipeline.pages.skeleton_player import MovingSkeleton

BEFORE_CAMERA_M = 3.0  # where a stored clip is put, whose spine mid is at the origin


@dataclass(frozen=True)
class Check:
    """A sentence about a clip. `wrong` says that the data are probably not as they must be."""

    text: str
    wrong: bool = False


def checks(clip: MovingSkeleton, *, facing: bool = True) -> list[Check]:
    """Check every body of `clip` by itself; without `facing` it may face anywhere, since it is turned on reading."""
    said: list[Check] = []
    frames, bodies = clip.joints.shape[:2]
    seen_from_camera = _as_raw(clip)
    for body in range(bodies):
        name = f"body {body + 1}" if bodies > 1 else "the body"
        present = clip.present[:, body]  # (T, V)
        if not present.any():
            said.append(Check(f"{name.capitalize()} is in no frame.", wrong=body == 0))
            continue
        size_m = median_size_m(body_sizes_m(seen_from_camera[:, body]))
        in_frames = f"{name.capitalize()} is in {int(present.any(axis=1).sum())} of {frames} frames"
        said.append(Check(f"{in_frames}; from end to end it measures {size_m:.2f} m."))
        of_body = f"{name.capitalize()}: " if bodies > 1 else ""
        for finding in check_clip(seen_from_camera[:, [body]], clip.frames_per_second):
            if finding.check == "facing" and not facing:
                continue
            said.append(Check(f"{of_body}{finding}", wrong=True))
    return said


def _as_raw(clip: MovingSkeleton) -> NDArray[np.float32]:
    """The joints (T, M, V, 3) as a camera sees them that the first body faces in the first frame.

    A raw clip is left as it is. In a stored one z points up, and the first body's spine mid is zero, which does not
    mean absent.
    """
    joints: NDArray[np.float32] = np.where(np.isfinite(clip.joints), clip.joints, np.float32(0))
    if clip.up == "y":
        return joints
    turned: NDArray[np.float32] = np.stack((joints[..., 0], joints[..., 2], -joints[..., 1]), axis=3)
    present = (joints != 0).any(axis=3)  # (T, M, V)
    present[..., SPINE_MID] |= present.any(axis=2)
    turned[present] += np.array([0, 0, BEFORE_CAMERA_M], np.float32)
    return turned
