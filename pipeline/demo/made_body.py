"""A synthetic body of 25 Kinect joints: computes the joints, in metres, from the pose of trunk, hands and feet.

Hands and feet are given as points. Elbows and knees follow by inverse kinematics of two bones, and the spine bends as
one arc. Axes are Kinect's: x to the camera's own left, y up, z away from the camera. A person who faces the camera
looks along -z and has their right side at +x.

Letters: T frames, V joints (25, in Kinect v2's order).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES, NUM_JOINTS, SPINE_BASE, SPINE_MID

Array = NDArray[np.floating[Any]]

SIDES = {"right": 1.0, "left": -1.0}  # the sign of x
ARM = ("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb")
LEG = ("hip", "knee", "ankle", "foot")
NECK, HEAD, SPINE_SHOULDER = (JOINT_NAMES.index(name) for name in ("neck", "head", "spine_shoulder"))
STRAIGHT = 0.998  # a limb stretches to at most this share of its length
FOLDED = 0.1  # the least distance from a limb's root to its end, as a share of its upper bone

# A pose over T frames: end -> (T, 3). The ends are "right hand", "left hand", "right foot", "left foot" and "trunk".
# Hands: the wrist from the shoulder, (right, up, forward) in the trunk's axes, in arm lengths.
# Feet: the ankle from the hip of the standing body, (right, up, forward), in leg lengths.
# Trunk: lean to the right and lean forward, in radians, and how far the pelvis sinks, in leg lengths.
Pose = Mapping[str, Array]


@dataclass(frozen=True)
class Proportions:
    """Lengths of the bones, in metres."""

    pelvis_to_mid: float
    mid_to_shoulders: float
    neck: float
    head: float
    shoulder_half_width: float
    upper_arm: float
    forearm: float
    hand: float
    hip_half_width: float
    thigh: float
    shin: float
    foot: float

    @property
    def arm(self) -> float:
        """Shoulder to wrist, stretched."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Hip to ankle, stretched."""
        return self.thigh + self.shin


def proportions(stature_m: float, limbs: float = 1.0, width: float = 1.0) -> Proportions:
    """The bones of a person `stature_m` tall. `limbs` scales arms and legs, `width` scales shoulders and hips."""
    scale = stature_m / 1.70
    return Proportions(
        pelvis_to_mid=0.29 * scale,
        mid_to_shoulders=0.22 * scale,
        neck=0.07 * scale,
        head=0.16 * scale,
        shoulder_half_width=0.17 * scale * width,
        upper_arm=0.27 * scale * limbs,
        forearm=0.25 * scale * limbs,
        hand=0.08 * scale,
        hip_half_width=0.09 * scale * width,
        thigh=0.41 * scale * limbs,
        shin=0.39 * scale * limbs,
        foot=0.13 * scale,
    )


def side_joints(side: str, parts: Sequence[str]) -> list[int]:
    """The indices of the joints `parts` of the left or right `side`."""
    return [JOINT_NAMES.index(f"{side}_{part}") for part in parts]


def pose_joints(pose: Pose, body: Proportions) -> Array:
    """The joints (T, 25, 3) of `body` in `pose`, in metres. The origin is on the floor below the standing pelvis."""
    lean_right, lean_forward, sink = pose["trunk"].T  # (T,) each
    joints = np.zeros((len(sink), NUM_JOINTS, 3))  # (T, V, 3), as right, up, forward
    standing = np.array([0.0, 1.08 * body.leg, 0.0])  # the pelvis; ankles are above the floor
    joints[:, SPINE_BASE] = standing - np.outer(sink * body.leg, [0.0, 1.0, 0.0])
    # 1. the spine: below its middle it has half of the lean, above it all of the lean
    lower, upper = (_trunk_axes(share * lean_right, share * lean_forward) for share in (0.5, 1.0))
    joints[:, SPINE_MID] = joints[:, SPINE_BASE] + body.pelvis_to_mid * lower[:, :, 1]
    joints[:, SPINE_SHOULDER] = joints[:, SPINE_MID] + body.mid_to_shoulders * upper[:, :, 1]
    joints[:, NECK] = joints[:, SPINE_SHOULDER] + body.neck * upper[:, :, 1]
    joints[:, HEAD] = joints[:, NECK] + body.head * upper[:, :, 1]
    # 2. arms and legs: shoulders lean with the trunk, hips do not
    for side in SIDES:
        _set_arm(joints, pose[f"{side} hand"], upper, side, body)
        _set_leg(joints, pose[f"{side} foot"], standing, side, body)
    joints[:, :, 2] *= -1.0  # forward is towards the camera
    return joints


def _set_arm(joints: Array, hand: Array, trunk: Array, side: str, body: Proportions) -> None:
    shoulder, elbow, wrist, palm, tip, thumb = side_joints(side, ARM)
    out, half_width = SIDES[side], body.shoulder_half_width
    joints[:, shoulder] = joints[:, SPINE_SHOULDER] + trunk @ np.array([out * half_width, -0.2 * half_width, 0.0])
    target = joints[:, shoulder] + body.arm * (trunk @ hand[:, :, None])[:, :, 0]  # (T, 3)
    pole = trunk @ np.array([0.5 * out, -0.8, -0.4])  # elbows point down, out and back
    joints[:, elbow], joints[:, wrist] = _two_bones(joints[:, shoulder], target, (body.upper_arm, body.forearm), pole)
    along = _unit(joints[:, wrist] - joints[:, elbow])
    joints[:, palm] = joints[:, wrist] + body.hand * along
    joints[:, tip] = joints[:, palm] + body.hand * along
    joints[:, thumb] = joints[:, palm] + body.hand * (0.4 * along + 0.35 * (trunk[:, :, 1] + trunk[:, :, 2]))


def _set_leg(joints: Array, foot: Array, standing: Array, side: str, body: Proportions) -> None:
    hip, knee, ankle, toe = side_joints(side, LEG)
    out = SIDES[side]
    from_pelvis = np.array([out * body.hip_half_width, -0.04 * body.leg, 0.0])
    joints[:, hip] = joints[:, SPINE_BASE] + from_pelvis
    target = standing + from_pelvis + body.leg * foot  # (T, 3)
    pole = np.broadcast_to([0.15 * out, 0.1, 1.0], target.shape)  # knees point forward
    joints[:, knee], joints[:, ankle] = _two_bones(joints[:, hip], target, (body.thigh, body.shin), pole)
    joints[:, toe] = joints[:, ankle] + body.foot * _unit(np.array([0.2 * out, -0.35, 0.9]))


def _trunk_axes(lean_right: Array, lean_forward: Array) -> Array:
    """The rotation (T, 3, 3) of the leaning trunk; its columns point to the trunk's right, up and forward."""
    up = np.stack([np.sin(lean_right), np.cos(lean_right) * np.cos(lean_forward), np.sin(lean_forward)], axis=-1)
    up = _unit(up)  # (T, 3)
    right = _unit(np.cross(up, [0.0, 0.0, 1.0]))
    return np.stack([right, up, np.cross(right, up)], axis=-1)  # (T, 3, 3)


def _two_bones(root: Array, target: Array, bones: tuple[float, float], pole: Array) -> tuple[Array, Array]:
    """Middle and end joint (T, 3) of two `bones` that reach from `root` for `target` and bend towards `pole`."""
    first, second = bones
    reach = target - root
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)  # (T, 1)
    direction = reach / distance
    distance = np.clip(distance, abs(first - second) + FOLDED * first, STRAIGHT * (first + second))
    along = (first**2 - second**2 + distance**2) / (2.0 * distance)
    bend = _unit(pole - direction * np.sum(pole * direction, axis=-1, keepdims=True))
    middle = root + along * direction + np.sqrt(np.maximum(first**2 - along**2, 0.0)) * bend
    return middle, root + distance * direction


def _unit(vectors: Array) -> Array:
    lengths: Array = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths
