"""Checks of a clip before any recipe: the mistakes of recordings that cost accuracy and raise no error.

A network answers a clip in millimetres, of another joint order, or mirrored like any other, and wrongly. `check_clip`
looks at 32 moments of the main body. Every threshold stands with what was measured on real clips: the 567 of
MSR-Action3D (Kinect v1), ten of UTKinect (Kinect v1), and one or two each of Kinect v2, Azure Kinect, ZED, MediaPipe,
SMPL and motion capture (BVH). "The samples" are those other than MSR-Action3D.

What cannot be seen in a clip: frames in reverse order; too few frames a second, and mostly twice as many as are right,
because people move fast and slowly (see data/checks/motion.py); yards taken for metres; and, in a layout that has no
neck, the neck exchanged for the spine shoulder.

Letters: T frames, M bodies, V = 25 joints, F moments that are looked at.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.checks.directions import direction_findings
from data.checks.finding import Finding
from data.checks.gaps import gap_findings
from data.checks.moments import choose_moments
from data.checks.motion import length_findings, motion_findings
from data.checks.shape import shape_findings

__all__ = ["Finding", "check_clip"]


def check_clip(joints: NDArray[np.float32], fps: float, *, longest_frames: int | None = None) -> list[Finding]:
    """Check the joints (T, M, V, 3) of a raw clip. Returns what seems to be wrong, an empty list for a good clip.

    joints: metres in NTU's axes: x to the camera's own left, y up, z away from the camera. Absent joints are zero.
    fps: frames a second, as the clip is going to be used.
    longest_frames: the length of the longest clip that a network was trained on; None when there is none.
    Only the main body is looked at, since a sensor takes furniture for people. A clip without a body has no findings.
    """
    return list(_findings(joints, fps, longest_frames))


def _findings(joints: NDArray[np.float32], fps: float, longest_frames: int | None) -> Iterator[Finding]:
    yield from length_findings(len(joints), longest_frames)
    moments = choose_moments(joints, fps)
    if moments is None:
        return
    shape = list(shape_findings(moments))
    yield from shape
    wrong = {finding.check for finding in shape}
    yield from (gap for gap in gap_findings(moments) if not (gap.check == "equal joints" and "order" in wrong))
    yield from motion_findings(moments)
    if not wrong & {"flat", "depth", "order"}:  # directions mean nothing in these
        yield from direction_findings(moments)
