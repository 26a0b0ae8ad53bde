"""Orders of joints that are taken for NTU's by mistake. `fitting_order` tells which of them fits a body.

An order is written as the places, in the wrongly named data, of NTU's joints: -1 where they lack one. Sources: the
makers' documents, and the data sets' own files.
"""

import math
from collections.abc import Mapping

import numpy as np

from data.checks.moments import BONE_CHILDREN, BONE_PARENTS, CORE, Moments, length
from data.checks.proportions import LEAST, MOST
from data.joints import JOINT_NAMES, NUM_JOINTS

FEWEST_BONES = 8  # core bones that an order must have to be judged
NTU = tuple(range(NUM_JOINTS))


def _exchanged(*pairs: tuple[str, str]) -> tuple[int, ...]:
    order = list(NTU)
    for one, other in pairs:
        first, second = JOINT_NAMES.index(one), JOINT_NAMES.index(other)
        order[first], order[second] = order[second], order[first]
    return tuple(order)


def _both(one: str, other: str) -> list[tuple[str, str]]:
    return [(f"{side}_{one}", f"{side}_{other}") for side in ("left", "right")]


_LIMBS = [
    pair
    for arm, leg in (("shoulder", "hip"), ("elbow", "knee"), ("wrist", "ankle"), ("hand", "foot"))
    for pair in _both(arm, leg)
]
# fmt: off
ORDERS: Mapping[str, tuple[int, ...]] = {
    "NTU's with arms and legs exchanged": _exchanged(*_LIMBS),
    "NTU's with wrists and elbows exchanged": _exchanged(*_both("wrist", "elbow")),
    "NTU's with knees and ankles exchanged": _exchanged(*_both("knee", "ankle")),
    "NTU's with shoulders and elbows exchanged": _exchanged(*_both("shoulder", "elbow")),
    "NTU's with hips and knees exchanged": _exchanged(*_both("hip", "knee")),
    "NTU's with head and spine base exchanged": _exchanged(("head", "spine_base")),
    "NTU's with neck and spine shoulder exchanged": _exchanged(("neck", "spine_shoulder")),
    "NTU's moved by one place": (*range(1, NUM_JOINTS), 0),
    "NTU's moved by one place the other way": (NUM_JOINTS - 1, *range(NUM_JOINTS - 1)),
    "Kinect v1's": (0, 1, -1, *range(3, 20), 2, -1, -1, -1, -1),
    "MSR-Action3D's own": (6, 3, -1, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18, 2, -1, -1, -1, -1),
    "Azure Kinect's": (0, 1, 3, -1, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, -1, 2, 9, 10, 16, 17),
    "SMPL's": (0, 6, 12, 15, 16, 18, 20, -1, 17, 19, 21, -1, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1, -1),
    "Human3.6M's": (0, 7, -1, 10, 11, 12, 13, -1, 14, 15, 16, -1, 4, 5, 6, -1, 1, 2, 3, -1, 8, -1, -1, -1, -1),
    "COCO's": (-1, -1, -1, 0, 5, 7, 9, -1, 6, 8, 10, -1, 11, 13, 15, -1, 12, 14, 16, -1, -1, -1, -1, -1, -1),
    "OpenPose's BODY_25": (8, -1, -1, 0, 5, 6, 7, -1, 2, 3, 4, -1, 12, 13, 14, 19, 9, 10, 11, 22, 1, -1, -1, -1, -1),
}
# fmt: on
MOST_DEVIATION = 0.35  # mean of |log(share / a person's middle share)| over the core bones
_TYPICAL = np.sqrt(LEAST * MOST)  # (24,)


def fitting_order(moments: Moments) -> str:
    """The name of the order in which the bones have a person's lengths; "" when none of ORDERS fits."""
    best, least = "", MOST_DEVIATION
    for name, order in ORDERS.items():
        deviation = _deviation(moments, np.array(order))
        if deviation < least:
            best, least = name, deviation
    return best


def _deviation(moments: Moments, order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    """How far the core bones are from a person's when the joints are taken in `order`; infinite when one is wrong."""
    if not moments.present[order[order >= 0]].all():
        return math.inf
    parents, children = order[BONE_PARENTS], order[BONE_CHILDREN]
    there = (parents >= 0) & (children >= 0)
    lengths = np.median(length(moments.joints[:, children] - moments.joints[:, parents]), axis=1)  # (24,)
    used = there & CORE
    if used.sum() < FEWEST_BONES or not lengths[used].all():
        return math.inf
    shares = lengths / np.median(lengths[used])
    if (there & ((shares < LEAST) | (shares > MOST))).any():
        return math.inf
    return float(np.abs(np.log(shares[used] / _TYPICAL[used])).mean())
