"""Joints in an array as a raw clip, as if a file had listed the bodies of each frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.raw.joint_array import require_joints
from data.raw.skeleton_file import RawClip


def raw_clip(joints: NDArray[np.floating[Any]], source: str) -> RawClip:
    """Return joints (T, M, 25, 3) in metres, absent ones zero, as a raw clip. Raises DataError as `require_joints`.

    Any number of bodies may be there: whoever calls knows which axis is which.
    """
    coordinates = np.asarray(joints, dtype=np.float32)
    require_joints(coordinates, most_bodies=coordinates.shape[1])
    frame, body = np.nonzero(coordinates.any(axis=(2, 3)))  # in the order of frames
    first = np.r_[True, frame[1:] != frame[:-1]][: len(frame)]
    place = np.arange(len(frame)) - np.maximum.accumulate(np.where(first, np.arange(len(frame)), 0))
    bodies = np.arange(coordinates.shape[1], dtype=np.int64)
    return RawClip(source, len(coordinates), coordinates[frame, body], frame, body, place, bodies)
