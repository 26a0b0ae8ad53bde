"""A made body of 25 Kinect joints: where the trunk, hands and feet are -> joints in metres.

The skeleton is posed from the ends: hands and feet are given as points, elbows and knees follow by inverse kinematics
of two bones, the spine bends as one arc. Axes are Kinect's: x to the right of the image, y up, z away from the camera.
A person who faces the camera looks along -z and has their right side at +x.

Letters: T frames, V joints (25, Kinect v2 order).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NUM_JOINTS = 25
SIDES = {"right": 1.0, "left": -1.0}  # the sign of x
ARM_JOINTS = {"left": (4, 5, 6, 7, 21, 22), "right": (8, 9, 10, 11, 23, 24)}
LEG_JOINTS = {"left": (12, 13, 14, 15), "right": (16, 17, 18, 19)}
STRAIGHT = 0.998  # no limb is stretched further than this share of its length


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
    """The bones of a person `stature_m` tall; `limbs` and `width` scale arms and legs, shoulders and hips."""
    s = stature_m / 1.70
    return Proportions(
        pelvis_to_mid=0.29 * s,
        mid_to_shoulders=0.22 * s,
        neck=0.07 * s,
        head=0.16 * s,
        shoulder_half_width=0.17 * s * width,
        upper_arm=0.27 * s * limbs,
        forearm=0.25 * s * limbs,
        hand=0.08 * s,
        hip_half_width=0.09 * s * width,
        thigh=0.41 * s * limbs,
        shin=0.39 * s * limbs,
        foot=0.13 * s,
    )


@dataclass(frozen=True)
class Pose:
    """Where the ends of the body are over T frames, in the body's own axes: (right, up, forward).

    `hands` and `feet` are side -> (T, 3): the wrist from the shoulder in arm lengths, the ankle from the hip of a
    standing body in leg lengths. `lean_right`, `lean_forward`, `twist` are (T,), radians, of the shoulders against the
    pelvis; `crouch` is (T,), how far the pelvis sinks, in leg lengths.
    """

    hands: dict[str, Array]
    feet: dict[str, Array]
    lean_right: Array
    lean_forward: Array
    twist: Array
    crouch: Array


def pose_joints(pose: Pose, body: Proportions) -> Array:
    """The joints (T, 25, 3) of `body` in `pose`, metres; the origin is on the floor below the standing pelvis."""
    joints = np.zeros((len(pose.crouch), NUM_JOINTS, 3))  # (T, V, 3), axes right, up, forward
    standing = np.array([0.0, body.leg + 0.08 * body.leg, 0.0])
    joints[:, 0] = standing - np.outer(pose.crouch * body.leg, [0.0, 1.0, 0.0])
    # 1. the spine: half of the bend below its middle, all of it above
    half, full = (_turn(pose, share) for share in (0.5, 1.0))
    joints[:, 1] = joints[:, 0] + body.pelvis_to_mid * half[:, :, 1]
    joints[:, 20] = joints[:, 1] + body.mid_to_shoulders * full[:, :, 1]
    joints[:, 2] = joints[:, 20] + body.neck * full[:, :, 1]
    joints[:, 3] = joints[:, 2] + body.head * full[:, :, 1]
    # 2. arms hang from shoulders that turn with the trunk; 3. legs stand under hips that do not
    for side, sign in SIDES.items():
        _set_arm(joints, pose.hands[side], full, side, sign, body)
        _set_leg(joints, pose.feet[side], standing, side, sign, body)
    joints[:, :, 2] *= -1.0  # forward is towards the camera
    return joints


def _set_arm(joints: Array, hand: Array, trunk: Array, side: str, sign: float, body: Proportions) -> None:
    shoulder, elbow, wrist, palm, tip, thumb = ARM_JOINTS[side]
    joints[:, shoulder] = joints[:, 20] + trunk @ np.array(
        [sign * body.shoulder_half_width, -0.2 * body.shoulder_half_width, 0.0]
    )
    target = joints[:, shoulder] + np.einsum("tij,tj->ti", trunk, hand) * body.arm
    pole = trunk @ np.array([0.5 * sign, -0.8, -0.4])  # elbows point down, out and back
    joints[:, elbow], joints[:, wrist] = _two_bones(joints[:, shoulder], target, body.upper_arm, body.forearm, pole)
    along = _unit(joints[:, wrist] - joints[:, elbow])
    joints[:, palm] = joints[:, wrist] + body.hand * along
    joints[:, tip] = joints[:, palm] + body.hand * along
    joints[:, thumb] = joints[:, palm] + body.hand * (0.4 * along + 0.35 * (trunk[:, :, 1] + trunk[:, :, 2]))


def _set_leg(joints: Array, foot: Array, standing: Array, side: str, sign: float, body: Proportions) -> None:
    hip, knee, ankle, toe = LEG_JOINTS[side]
    offset = np.array([sign * body.hip_half_width, -0.04 * body.leg, 0.0])
    joints[:, hip] = joints[:, 0] + offset
    target = standing + offset + foot * body.leg
    pole = np.broadcast_to([0.15 * sign, 0.1, 1.0], target.shape)  # knees point forward
    joints[:, knee], joints[:, ankle] = _two_bones(joints[:, hip], target, body.thigh, body.shin, pole)
    joints[:, toe] = joints[:, ankle] + body.foot * _unit(np.array([0.2 * sign, -0.35, 0.9]))


def _turn(pose: Pose, share: float) -> Array:
    """Rotations (T, 3, 3) by `share` of the trunk's bend; columns are where right, up and forward end."""
    right, forward, twist = (share * angle for angle in (pose.lean_right, pose.lean_forward, pose.twist))
    up = _unit(np.stack([np.sin(right), np.cos(right) * np.cos(forward), np.sin(forward)], axis=-1))  # (T, 3)
    ahead = np.stack([np.sin(twist), np.zeros_like(twist), np.cos(twist)], axis=-1)
    side = _unit(np.cross(up, ahead))
    return np.stack([side, up, np.cross(side, up)], axis=-1)  # (T, 3, 3)


def _two_bones(root: Array, target: Array, first: float, second: float, pole: Array) -> tuple[Array, Array]:
    """Middle and end (T, 3) of a chain of two bones that reaches for `target`, bending towards `pole`."""
    reach = target - root
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    direction = reach / np.maximum(distance, 1e-9)
    distance = np.clip(distance, abs(first - second) + 0.1 * first, STRAIGHT * (first + second))
    along = (first**2 - second**2 + distance**2) / (2.0 * distance)
    bend = _unit(pole - direction * np.sum(pole * direction, axis=-1, keepdims=True))
    middle = root + along * direction + np.sqrt(np.maximum(first**2 - along**2, 0.0)) * bend
    return middle, root + distance * direction


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
