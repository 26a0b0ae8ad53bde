"""Place: bodies that do not face the camera, and mirrored films.

Letters: T frames, M bodies, V = 25 joints. Axes are those of NTU: x to the camera's own left, y up, z away from it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from data.joints import JOINT_NAMES, LEFT_SHOULDER, RIGHT_SHOULDER

LEVEL = 0.5  # a body whose sides are this far from level lies or leans, and has no side that could face the camera

LEFT_HIP, RIGHT_HIP = JOINT_NAMES.index("left_hip"), JOINT_NAMES.index("right_hip")


def _other_side(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


EXCHANGED = [JOINT_NAMES.index(_other_side(name)) for name in JOINT_NAMES]  # each joint's counterpart


def to_face_camera(joints: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return joints (T, M, V, 3) turned about the vertical axis, and by how many degrees.

    After it the right side of the first body whose shoulders are shown at all points to the camera's left in the first
    frame that shows them. So the recipes' second rotation stays small; for a body that faces away it is
    ill-conditioned. A body that lies is left as it is.
    """
    across = joints[:, :, RIGHT_SHOULDER].astype(np.float64) - joints[:, :, LEFT_SHOULDER]
    hips = joints[:, :, RIGHT_HIP].astype(np.float64) - joints[:, :, LEFT_HIP]
    across = across + np.where(np.isfinite(hips), hips, 0)  # (T, M, 3)
    shown = np.argwhere((np.isfinite(across).all(axis=2) & (np.abs(across).sum(axis=2) > 0)).T)  # (K, 2) body, frame
    if not len(shown):
        return joints, 0.0
    body, frame = shown[0]
    sides = across[frame, body]
    x, _, z = sides.tolist()
    level = math.hypot(x, z)
    if level < LEVEL * float(np.linalg.norm(sides)):
        return joints, 0.0
    cos, sin = x / level, z / level
    turned = joints.astype(np.float64)
    turned[..., 0], turned[..., 2] = (
        cos * joints[..., 0] + sin * joints[..., 2].astype(np.float64),
        cos * joints[..., 2] - sin * joints[..., 0].astype(np.float64),
    )
    return turned.astype(np.float32), math.degrees(math.atan2(sin, cos))


def unmirrored(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return joints (..., V, 3) of a mirrored film as the person moved: x is flipped, and left and right exchanged."""
    return joints[..., EXCHANGED, :] * np.array([-1, 1, 1], np.float32)
