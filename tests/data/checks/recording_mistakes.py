"""Deliberate mistakes of recordings: each turns the joints of a good clip into those that a user might give.

Letters: T frames, M bodies, V = 25 joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES, NUM_JOINTS

Joints = NDArray[np.float32]
SIDES = ("left", "right")
BESIDE_M = (1.0, 0.0, 0.3)  # from one person to another


@dataclass(frozen=True)
class Mistake:
    """A mistake: what it makes of the joints (T, M, V, 3), and of the frame rate."""

    name: str
    change: Callable[[Joints, np.random.Generator], NDArray[np.floating[Any]]] = lambda joints, rng: joints
    times_fps: float = 1.0

    def made(self, joints: Joints, fps: float) -> tuple[Joints, float]:
        """The clip with this mistake; absent bodies stay absent."""
        return self.change(joints.copy(), np.random.default_rng(0)).astype(np.float32), fps * self.times_fps


def places(*names: str) -> list[int]:
    """The joints of these names; a part such as "wrist" stands for left and right."""
    each = [[name] if name in JOINT_NAMES else [f"{side}_{name}" for side in SIDES] for name in names]
    return [JOINT_NAMES.index(joint) for joints in each for joint in joints]


def _scaled(factor: float) -> Mistake:
    return Mistake("", lambda joints, rng: joints * factor)


def _axes(*rows: Sequence[int]) -> Mistake:
    matrix = np.array(rows, dtype=float).T
    return Mistake("", lambda joints, rng: joints @ matrix)


def _order(order: Sequence[int]) -> Mistake:
    """`order` names the NTU joint in each place; -1 for one that is left zero."""

    def change(joints: Joints, rng: np.random.Generator) -> Joints:
        changed = joints[:, :, list(order)]
        changed[:, :, [place for place, joint in enumerate(order) if joint < 0]] = 0
        return changed

    return Mistake("", change)


def _exchanged(first: Sequence[int], second: Sequence[int]) -> Mistake:
    order = list(range(NUM_JOINTS))
    for one, other in zip(first, second, strict=True):
        order[one], order[other] = other, one
    return _order(order)


def _padded(order: Sequence[int]) -> list[int]:
    return [*order, *[-1] * (NUM_JOINTS - len(order))]


def _sides(*parts: str) -> Mistake:
    return _exchanged([places(f"left_{part}")[0] for part in parts], [places(f"right_{part}")[0] for part in parts])


ARM = ("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb")
LEG = ("hip", "knee", "ankle", "foot")
# The NTU joints in the order of other layouts, as their makers number them.
KINECT_V1 = [*places("spine_base", "spine_mid", "spine_shoulder", "head"), *range(4, 20)]
_MSR_OF_V1 = [6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18]
MSR_ACTION3D = [KINECT_V1[_MSR_OF_V1.index(place)] for place in range(20)]
KINECT_V1_PLACES = [0, 1, 2, 3, *range(4, 20), 2, 7, 7, 11, 11]  # where a reader of Kinect v1 looks for NTU's joints
COCO = [*places("head", "head", "head", "head", "head"), *places("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
SMPL = [
    *places("spine_base", "hip", "spine_mid", "knee", "spine_mid", "ankle", "spine_shoulder", "foot", "neck"),
    *places("spine_shoulder", "spine_shoulder", "head", "shoulder", "elbow", "wrist"),
]
SMPL_PLACES = [0, 6, 12, 15, 16, 18, 20, 20, 17, 19, 21, 21, 1, 4, 7, 10, 2, 5, 8, 11, 9, 20, 20, 21, 21]
AZURE_KINECT = [
    *places("spine_base", "spine_mid", "spine_shoulder", "neck", "spine_shoulder"),
    *places("left_shoulder", "left_elbow", "left_wrist", "left_hand", "left_hand_tip", "left_thumb", "spine_shoulder"),
    *places("right_shoulder", "right_elbow", "right_wrist", "right_hand", "right_hand_tip", "right_thumb"),
    *places("left_hip", "left_knee", "left_ankle", "left_foot", "right_hip", "right_knee", "right_ankle"),
]
HUMAN36M = [
    *places("spine_base", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *places("spine_mid", "spine_shoulder", "neck", "head", "left_shoulder", "left_elbow", "left_wrist"),
    *places("right_shoulder", "right_elbow", "right_wrist"),
]
BODY_25 = [
    *places("head", "spine_shoulder", "right_shoulder", "right_elbow", "right_wrist"),
    *places("left_shoulder", "left_elbow", "left_wrist", "spine_base", "right_hip", "right_knee", "right_ankle"),
    *places("left_hip", "left_knee", "left_ankle", "head", "head", "head", "head"),
    *places("left_foot", "left_foot", "left_ankle", "right_foot", "right_foot", "right_ankle"),
]


def _zero(joints: Sequence[int]) -> Mistake:
    return _order([-1 if joint in joints else joint for joint in range(NUM_JOINTS)])


def _centred(joints: Joints) -> Joints:
    return joints - joints[:, :, :1]


def _without_feet(joints: Joints) -> Joints:
    joints[:, :, places("foot")] = joints[:, :, places("ankle")]
    return joints


def _coordinate(axis: int, value: Callable[[Joints, np.random.Generator], NDArray[np.floating[Any]]]) -> Mistake:
    def change(joints: Joints, rng: np.random.Generator) -> Joints:
        joints[..., axis] = value(joints, rng)
        return joints

    return Mistake("", change)


def _scores(joints: Joints, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    return np.clip(rng.normal(0.85, 0.1, joints.shape[:-1]), 0, 1)


def _pixels(joints: Joints, rng: np.random.Generator) -> Joints:
    """Image coordinates from 0 to 1: x to the right, y down, and no depth."""
    x, y, z = np.moveaxis(joints, 3, 0)
    z = z - z.min() + 2.0
    return np.stack((0.5 - 0.9 * x / z, 0.5 - 0.9 * y / z, np.zeros_like(z)), axis=3)


def _pixels_and_scores(joints: Joints, rng: np.random.Generator) -> Joints:
    return np.concatenate((_pixels(joints, rng)[..., :2], _scores(joints, rng)[..., None]), axis=3)


def _two_people(joints: Joints, rng: np.random.Generator) -> Joints:
    """The frames of two people alternate; the other stands 1 m to the side and is half a clip ahead."""
    joints[1::2] = np.roll(joints, len(joints) // 2, axis=0)[1::2]
    joints[1::2] += BESIDE_M
    return joints


def _two_people_joints(joints: Joints, rng: np.random.Generator) -> Joints:
    joints[:, :, 1::2] += BESIDE_M
    return joints


def _copied_arm(joints: Joints, rng: np.random.Generator) -> Joints:
    joints[:, :, places(*(f"right_{part}" for part in ARM))] = joints[:, :, places(*(f"left_{part}" for part in ARM))]
    return joints


_GROUPS: dict[str, Mistake] = {
    "unit: millimetres": _scaled(1000),
    "unit: centimetres": _scaled(100),
    "unit: metres taken for millimetres": _scaled(0.001),
    "unit: inches": _scaled(39.37),
    "unit: feet": _scaled(3.281),
    "unit: inches taken for centimetres": _scaled(1 / 2.54),
    "unit: centimetres taken for inches": _scaled(2.54),
    "unit: divided by 1000 twice": _scaled(0.001),
    "unit: millimetres from the hips": Mistake("", lambda joints, rng: _centred(joints) * 1000),
    "axes: x reversed": _axes((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "axes: y reversed": _axes((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "axes: z reversed": _axes((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "axes: x and y exchanged": _axes((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    "axes: y and z exchanged": _axes((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "axes: x and z exchanged": _axes((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "axes: z up": _axes((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "axes: x right and y down, as in images": _axes((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "axes: turned about, back to the camera": _axes((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "sides: left and right exchanged": _sides(*ARM, *LEG),
    "sides: mirrored, and no feet": Mistake("", lambda joints, rng: _without_feet(joints) * [-1, 1, 1]),
    "sides: exchanged in the arms": _sides(*ARM),
    "sides: exchanged in the legs": _sides(*LEG),
    "order: arms and legs exchanged": _exchanged(places(*ARM[:4]), places(*LEG)),
    "order: wrists and elbows exchanged": _exchanged(places("wrist"), places("elbow")),
    "order: knees and ankles exchanged": _exchanged(places("knee"), places("ankle")),
    "order: head and spine base exchanged": _exchanged(places("head"), places("spine_base")),
    "order: neck and spine shoulder exchanged": _exchanged(places("neck"), places("spine_shoulder")),
    "order: moved on by one": _order([*range(1, NUM_JOINTS), 0]),
    "order: moved back by one": _order([NUM_JOINTS - 1, *range(NUM_JOINTS - 1)]),
    "order: Kinect v1's": _order(_padded(KINECT_V1)),
    "order: MSR-Action3D's": _order(_padded(MSR_ACTION3D)),
    "order: MSR-Action3D's, named Kinect v1": _order([MSR_ACTION3D[place] for place in KINECT_V1_PLACES]),
    "order: COCO's": _order(_padded(COCO)),
    "order: SMPL's": _order(_padded(SMPL)),
    "order: Kinect v2's, named SMPL": _order(SMPL_PLACES),
    "order: Azure Kinect's": _order(AZURE_KINECT),
    "order: Human3.6M's": _order(_padded(HUMAN36M)),
    "order: OpenPose's BODY_25": _order(BODY_25),
    "flat: z is 0": _coordinate(2, lambda joints, rng: np.zeros(joints.shape[:-1])),
    "flat: x is 0": _coordinate(0, lambda joints, rng: np.zeros(joints.shape[:-1])),
    "flat: z is a confidence": _coordinate(2, _scores),
    "flat: image coordinates from 0 to 1": Mistake("", _pixels),
    "flat: image coordinates and confidence": Mistake("", _pixels_and_scores),
    "gaps: centred at the hips exactly": Mistake("", lambda joints, rng: _centred(joints)),
    "gaps: hands and feet are zero": _zero(places("hand", "foot")),
    "gaps: one arm is zero": _zero(places(*(f"left_{part}" for part in ARM))),
    "gaps: right arm copied from the left": Mistake("", _copied_arm),
    "array: frames and joints exchanged": Mistake(
        "", lambda joints, rng: joints.transpose(0, 2, 1, 3).swapaxes(0, 1).reshape(joints.shape)
    ),
    "array: joints and coordinates exchanged": Mistake(
        "", lambda joints, rng: joints.swapaxes(2, 3).reshape(joints.shape)
    ),
    "array: moved on by one number": Mistake("", lambda joints, rng: np.roll(joints.ravel(), 1).reshape(joints.shape)),
    "array: frames of two people alternate": Mistake("", _two_people),
    "array: joints of two people alternate": Mistake("", _two_people_joints),
    "array: frames in random order": Mistake("", lambda joints, rng: joints[rng.permutation(len(joints))]),
    "time: frozen": Mistake("", lambda joints, rng: np.repeat(joints[:1], len(joints), axis=0)),
    "time: every frame twice": Mistake("", lambda joints, rng: np.repeat(joints, 2, axis=0), 2.0),
    "time: 4 x the frame rate": Mistake("", times_fps=4.0),
    "time: 2 x the frame rate": Mistake("", times_fps=2.0),
    "time: 1/2 of the frame rate": Mistake("", times_fps=0.5),
    "time: 1/4 of the frame rate": Mistake("", times_fps=0.25),
    "time: reversed": Mistake("", lambda joints, rng: joints[::-1]),
}
MISTAKES = tuple(Mistake(name, mistake.change, mistake.times_fps) for name, mistake in _GROUPS.items())
# No check of a single clip sees these for sure: people move fast and slowly, and a movement may run either way.
UNSEEN = ("time: 2 x the frame rate", "time: 1/2 of the frame rate", "time: 1/4 of the frame rate", "time: reversed")
