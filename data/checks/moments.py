"""The moments of a clip that the checks look at.

Letters: T frames, M bodies, V = 25 joints, F moments.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.joints import BONES, JOINT_NAMES, SPINE_BASE

Points = NDArray[np.float64]

MOST_MOMENTS = 32
GOLDEN_RATIO = 0.6180339887498949
BONE_PARENTS, BONE_CHILDREN = (np.array(ends) for ends in zip(*BONES, strict=True))
# The bones that every layout has, and no layout fills with a copy of another joint.
CORE_PARTS = ("spine_mid", "spine_shoulder", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
CORE = np.array([JOINT_NAMES[child].removeprefix("left_").removeprefix("right_") in CORE_PARTS for _, child in BONES])

CORE_BONES = np.flatnonzero(CORE)
# The lengths that are measured: all bones, then these two.
TORSO, SHOULDERS_TO_HEAD = len(BONES), len(BONES) + 1
_SPINE_SHOULDER, _HEAD = JOINT_NAMES.index("spine_shoulder"), JOINT_NAMES.index("head")
_STARTS = np.append(BONE_PARENTS, (SPINE_BASE, _SPINE_SHOULDER))
_ENDS = np.append(BONE_CHILDREN, (_SPINE_SHOULDER, _HEAD))
# The joints whose steps from frame to frame are looked at.
MOVING = np.array(
    [JOINT_NAMES.index(f"{side}_{part}") for part in ("wrist", "shoulder") for side in ("left", "right")] + [SPINE_BASE]
)
_PLACES = np.arange(MOST_MOMENTS) + np.arange(MOST_MOMENTS) * GOLDEN_RATIO % 1


@dataclass(frozen=True)
class Moments:
    """Chosen frames of the main body of a clip, spread over all frames that hold it.

    Coordinates come first and frames last, because NumPy is several times faster so. Most checks look at lengths as
    shares of `bone`, so that they hold in any unit.
    """

    joints: Points  # (3, V, F)
    steps: Points  # (3, len(MOVING), F) from these joints' places to those in the next frame that holds the body
    step_s: NDArray[np.float64]  # (F,) seconds to that frame, as the frame rate says
    present: NDArray[np.bool_]  # (V,) joints that are present (not zero) in most moments
    complete: bool  # whether all joints are
    lengths: NDArray[np.float64]  # (26, F) of the bones, in the order of BONES, then TORSO and SHOULDERS_TO_HEAD
    medians: NDArray[np.float64]  # (26,) of these lengths
    bone: float  # the middle length of the core bones: 0.2 to 0.3 m in an adult

    def at(self, name: str) -> Points:
        """The joint `name` in all moments, (3, F)."""
        return self.joints[:, JOINT_NAMES.index(name)]

    def has(self, *names: str) -> bool:
        """Whether all these joints are present in most moments."""
        return self.complete or all(self.present[JOINT_NAMES.index(name)] for name in names)


def choose_moments(joints: NDArray[np.float32], fps: float) -> Moments | None:
    """Choose moments of a clip (T, M, V, 3); None when it has no body, or all of its joints are in one point.

    There is a moment in each of 32 equal parts of the clip, the first at its first frame. Within its part its place
    varies, so that frames which repeat regularly are not missed.
    """
    if not joints.size:
        return None
    body = main_body(joints)  # (T, V, 3)
    there = np.flatnonzero(body.reshape(len(body), -1).any(axis=1))
    if not len(there):
        return None
    last = max(1, len(there) - 1)
    chosen = np.arange(last) if last <= MOST_MOMENTS else (_PLACES * (last / MOST_MOMENTS)).astype(np.int64)
    now, after = there[chosen], there[np.minimum(chosen + 1, len(there) - 1)]
    frames = np.array(body[now].T, np.float64, order="C")  # (3, V, F)
    complete = np.count_nonzero(frames) == frames.size
    present = frames.any(axis=0).sum(axis=1) * 2 > len(now) if not complete else np.ones(len(frames[0]), np.bool_)
    lengths = length(frames[:, _ENDS] - frames[:, _STARTS])  # (26, F)
    medians = np.sort(lengths, axis=1)[:, len(now) // 2]  # (26,)
    core = CORE_BONES if complete else np.flatnonzero(CORE & present[BONE_CHILDREN] & present[BONE_PARENTS])
    bone = middle(medians[core]) if len(core) else 0.0
    if not 0 < bone < np.inf:
        return None
    steps = body[after][:, MOVING].T - frames[:, MOVING]
    return Moments(frames, steps, (after - now) / fps, present, bool(present.all()), lengths, medians, bone)


def main_body(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """The body (T, V, 3) that moves most, of those that are in at least half as many frames as any other."""
    if joints.shape[1] == 1:
        return joints[:, 0]
    there = np.asarray(joints.any(axis=(2, 3)))  # (T, M)
    frames = there.sum(axis=0)  # (M,)
    moves = [
        joints[there[:, body], body].std(axis=0, dtype=np.float64).sum() if 2 * frames[body] >= frames.max() > 0 else -1
        for body in range(len(frames))
    ]
    return joints[:, int(np.argmax(moves))]


def middle(values: NDArray[np.float64]) -> float:
    """The median of values (n,), without the cost of np.median on a few numbers."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def dot(one: Points, other: Points) -> NDArray[np.float64]:
    """The products of vectors (3, ...): (...)."""
    return np.asarray((one * other).sum(axis=0))


def length(vectors: Points) -> NDArray[np.float64]:
    """The lengths of vectors (3, ...): (...)."""
    return np.asarray(np.sqrt(dot(vectors, vectors)))


def root_mean_square(vectors: Points) -> float:
    """Of the lengths of vectors (3, ...)."""
    flat = vectors.ravel()
    return math.sqrt(float(np.vdot(flat, flat)) / (len(flat) / 3))


def positive(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lengths as divisors: no smaller than 1e-12."""
    return np.maximum(lengths, 1e-12)
