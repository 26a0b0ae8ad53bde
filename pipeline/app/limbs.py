"""A clip with one limb held still, to see which motion an answer needs.

Each joint of the limb keeps the place that it has in the first frame, relative to the joint that the limb hangs on. So
the limb goes along with the body, and does nothing itself.
Letters: T frames, V = 25 joints, M bodies, J joints of a limb.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES


@dataclass(frozen=True)
class Limb:
    """A limb, by its joint nearest to the spine, which moves on, and its joints further out, which are held still."""

    name: str
    root: int
    joints: tuple[int, ...]


def _limb(name: str, root: str, *joints: str) -> Limb:
    return Limb(name, JOINT_NAMES.index(root), tuple(map(JOINT_NAMES.index, joints)))


def _side(side: str) -> tuple[Limb, Limb]:
    arm = ("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb")
    leg = ("hip", "knee", "ankle", "foot")
    return (
        _limb(f"{side} arm", *(f"{side}_{joint}" for joint in arm)),
        _limb(f"{side} leg", *(f"{side}_{joint}" for joint in leg)),
    )


LIMBS = (*_side("left"), *_side("right"), _limb("head", "spine_shoulder", "neck", "head"))


def held_still(clip: NDArray[np.float32], limb: Limb) -> NDArray[np.float32]:
    """Clip (3, T, V, M) as the backbone takes it -> the same with `limb` held still. Absent joints stay zero."""
    held = clip.copy()
    joints = list(limb.joints)
    root = clip[:, :, [limb.root]]  # (3, T, 1, M)
    still = root + clip[:, :1, joints] - root[:, :1]  # (3, T, J, M)
    there = (clip[:, :, joints] != 0).any(axis=0) & (root != 0).any(axis=0)  # (T, J, M)
    held[:, :, joints] = np.where(there, still, clip[:, :, joints])
    return held
