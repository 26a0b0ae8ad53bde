"""The lengths of a person's bones, as shares of the middle length of the core bones.

Measured: the median over a clip's frames, the least and the most over the 567 clips of MSR-Action3D and the samples of
six other sources. The limits stand about a fifth beyond, because those are some twenty people.
"""

import numpy as np

from data.checks.moments import BONE_CHILDREN, BONE_PARENTS
from data.joints import JOINT_NAMES

# The bone that ends in this joint: (least, most)    measured
_LIMITS = {
    "spine_mid": (0.15, 1.75),  # 0.22 to 1.44
    "spine_shoulder": (0.45, 1.95),  # 0.59 to 1.60
    "neck": (0.0, 0.65),  # 0.00 to 0.48
    "head": (0.0, 0.95),  # 0.31 to 0.71; 0 when the neck is a copy of the head
    "shoulder": (0.4, 1.2),  # 0.56 to 0.94
    "elbow": (0.65, 1.5),  # 0.83 to 1.22
    "wrist": (0.65, 1.45),  # 0.86 to 1.17
    "hand": (0.0, 0.65),  # 0.00 to 0.47
    "hand_tip": (0.0, 0.85),  # 0.00 to 0.61
    "thumb": (0.0, 0.85),  # 0.00 to 0.61
    "hip": (0.15, 1.2),  # 0.24 to 0.98
    "knee": (1.0, 2.8),  # 1.29 to 2.27
    "ankle": (0.95, 2.3),  # 1.25 to 1.80
    "foot": (0.0, 1.1),  # 0.00 to 0.80
}


def _without_side(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


_BY_BONE = np.array([_LIMITS[_without_side(JOINT_NAMES[child])] for child in BONE_CHILDREN])
LEAST, MOST = _BY_BONE.T  # (24,) each, in the order of BONES


def part_name(bone: int) -> str:
    """The words for a bone, such as "left elbow to left wrist"."""
    parent, child = (JOINT_NAMES[int(ends[bone])].replace("_", " ") for ends in (BONE_PARENTS, BONE_CHILDREN))
    return f"bone from {parent} to {child}"
