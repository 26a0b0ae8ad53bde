"""Checks of a clip before any recipe: the mistakes of recordings that cost accuracy and raise no error.

Letters: T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES, SPINE_BASE

SPINE_SHOULDER = JOINT_NAMES.index("spine_shoulder")
TORSO_M = (0.25, 0.85)
STILL_M = 0.02


@dataclass(frozen=True)
class Finding:
    """What seems to be wrong with a clip."""

    check: str  # which check found it: "size", "frozen"
    evidence: str  # what was measured, in numbers; a sentence
    advice: str  # what to do; a sentence


def check_clip(joints: NDArray[np.float32], fps: float, *, longest_frames: int | None = None) -> list[Finding]:
    """Check the joints (T, M, V, 3) of a raw clip; returns what seems to be wrong, an empty list for a good clip.

    joints: metres in NTU's axes: x to the camera's own left, y up, z away from the camera. Absent joints are zero.
    fps: frames a second.
    longest_frames: the length of the longest clip that a network was trained on; None when there is none.
    """
    body = joints[:, int(np.argmax(joints.any(axis=3).sum(axis=(0, 2))))].astype(np.float64)  # (T, V, 3)
    body = body[body.any(axis=2).all(axis=1)]  # the frames that hold all joints
    findings: list[Finding] = []
    if not len(body):
        return findings
    torso_m = float(np.median(np.linalg.norm(body[:, SPINE_SHOULDER] - body[:, SPINE_BASE], axis=1)))
    shortest_m, longest_m = TORSO_M
    if not shortest_m <= torso_m <= longest_m:
        evidence = f"The torso measures {torso_m:.3g} m, where a person's measures {shortest_m} to {longest_m} m."
        findings.append(Finding("size", evidence, "Give the coordinates in metres."))
    moved_m = float(np.ptp(body, axis=0).max())
    if moved_m < STILL_M:
        evidence = f"No joint moves more than {moved_m * 1000:.3g} mm in the whole clip."
        findings.append(Finding("frozen", evidence, "Check that each frame holds its own joints."))
    return findings
