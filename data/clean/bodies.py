"""The recipes: which bodies of a raw clip are kept, and how they are centred and turned.

shift-gcn  the recipe behind the published Shift-GCN features. A body is a place in the frames' lists, and the first
           four are looked at. Kept are the two with the most energy: the standard deviation over joints and non-empty
           frames, summed over x, y, z.
denoised   the recipe of the CTR-GCN family. A body is an id. Bodies seen in 11 frames or fewer are dropped, then those
           that are too wide for a person in most frames (furniture), but never the last body of a clip. The others, the
           largest variance first, are joined to two actors: a body that is never seen beside an actor is another piece
           of that actor, since a sensor gives a person whom it lost and found a new id. What fits neither is dropped.
           Ours: ids that follow each other and are near where they meet are one body from the start, so that no piece
           of a person is taken for noise; and a body that both actors are free for goes to the nearer one.
tracked    ours. A body is a person who is followed by position, whatever the place in the list and the id. Kept are, as
           by shift-gcn, those with the most energy, joined to two actors as by denoised.

All recipes then do the same:

1. A body whose first frame is empty loses all its empty frames. Empty frames at the end are cut off. What remains is
   the body's *period*, which is repeated when the clip is read.
2. The first body's spine mid becomes the origin of every frame.
3. Two rotations follow. The first turns spine base -> spine mid of the first body's first frame to +z, the second
   turns its left shoulder -> right shoulder to +x.

A body, frame or joint is empty where its coordinates sum to zero. Bodies of equal rank keep their order in the file.
Input and output are float32, and the computation is float64.

Letters: M bodies, T frames of the clip, L frames of a body's period, V = 25 joints, C = 3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.clean.choice import CHOOSE, Body
from data.errors import RawFileError
from data.joints import LEFT_SHOULDER, NUM_JOINTS, RIGHT_SHOULDER, SPINE_BASE, SPINE_MID
from data.raw.skeleton_file import RawClip
from data.recipes import Recipe

Coordinates = NDArray[np.float32]
Points = NDArray[np.float64]

SMALL = 1e-6  # a vector is not rotated when the axis or the angle (in radians) is smaller
AT_CENTRE_M = 1e-30  # stored for a joint of the second body exactly at the origin, because zero means absent


@dataclass(frozen=True)
class CleanClip:
    """One normalised clip.

    joints: (M, T, V, C) float32 metres, M = 1 or 2. Zero where a joint is absent and after the end of a body's period.
    period: (L1, L2), the frames after which each body starts again. The larger is T; L2 = 0 without a second body.
    centre: (L1, 3) float32 metres, the first body's rotated spine mid minus that of its first frame. Empty, (0, 3),
        when M = 1 or L1 = L2.
    dropped: the number of non-empty bodies that the recipe dropped, by reason.
    joined: whether one person has several ids, which denoised joined.
    exchanged: whether a person, followed by position, changes the place in the frames' lists (shift-gcn, tracked), or
        passes from one actor to the other or to a body that is dropped (denoised). Only tracked follows the person.
    fps: frames a second of the recording; that of a Kinect unless the reader says otherwise.
    """

    joints: Coordinates
    period: tuple[int, int]
    centre: Coordinates
    dropped: dict[str, int]
    joined: bool = False
    exchanged: bool = False
    fps: float = 30.0


def clean(clip: RawClip, recipe: Recipe) -> CleanClip:
    """Applies `recipe`. Raises RawFileError when the clip can't be used.

    That is when no frame holds a body, when the result overflows float32, or when `tracked` finds too many bodies.
    """
    choice = CHOOSE[recipe](clip)
    if not choice.bodies:
        raise RawFileError(clip.source, "no frame holds a body: all coordinates are zero")
    joints, period, centre = _normalised([body.period() for body in choice.bodies])
    if not np.isfinite(joints).all():
        raise RawFileError(clip.source, "its coordinates are too far apart for a float32")
    dropped = {reason: number for reason, number in choice.dropped.items() if number > 0}
    return CleanClip(joints, period, centre, dropped, choice.joined, choice.exchanged)


def _normalised(bodies: Sequence[Body]) -> tuple[Coordinates, tuple[int, int], Coordinates]:
    """Centres and rotates one or two bodies, the main one first, each cut to its period.

    Returns the fields joints, period and centre of a CleanClip.
    """
    first = bodies[0]
    centre = first.points[:, :, SPINE_MID]  # (C, L1)
    rotation = _upright((first.points[:, 0] - centre[:, :1]) * first.filled[0])
    joints = np.zeros((len(bodies), max(map(len, bodies)), NUM_JOINTS, 3), np.float32)
    with np.errstate(over="ignore"):
        for index, body in enumerate(bodies):
            moved = body.points - centre[:, np.arange(len(body)) % len(first), None]  # (C, L, V)
            joints[index, : len(body)] = (_turned(moved, rotation) * body.filled).transpose(1, 2, 0)  # (L, V, C)
    if len(bodies) == 1 or len(bodies[0]) == len(bodies[1]):
        periods = (len(first), len(bodies[1]) if len(bodies) == 2 else 0)
        return joints, periods, np.zeros((0, 3), np.float32)
    second = joints[1, : len(bodies[1])]
    second[bodies[1].filled & ~second.any(axis=-1)] = (AT_CENTRE_M, 0, 0)
    shifts = _turned(centre - centre[:, :1], rotation).T.astype(np.float32)  # (L1, C)
    return joints, (len(first), len(bodies[1])), shifts


def _turned(points: Points, rotation: Points) -> Points:
    """Rotates points (C, ...) by `rotation` (3, 3).

    Written out, because the last bit of a matrix product may depend on the library's number of threads.
    """
    x, y, z = points
    return np.stack([x * to_x + y * to_y + z * to_z for to_x, to_y, to_z in rotation.tolist()])


def _upright(frame: Points) -> Points:
    """Returns the rotation (3, 3) that turns the spine of a centred frame (C, V) to +z and its shoulders to +x."""
    spine = _rotation(frame[:, SPINE_MID] - frame[:, SPINE_BASE], (0.0, 0.0, 1.0))
    frame = _turned(frame, spine)
    shoulders = _rotation(frame[:, RIGHT_SHOULDER] - frame[:, LEFT_SHOULDER], (1.0, 0.0, 0.0))
    turned: Points = shoulders @ spine
    return turned


def _rotation(vector: Points, target: tuple[float, float, float]) -> Points:
    """Returns the rotation (3, 3) about their common normal that turns `vector` to the direction of the unit `target`.

    Computed on Python numbers: as NumPy calls, these few operations took half of a clip's time.
    """
    (x, y, z), (to_x, to_y, to_z) = vector.tolist(), target
    axis = (y * to_z - z * to_y, z * to_x - x * to_z, x * to_y - y * to_x)
    if sum(map(abs, axis)) < SMALL:
        return np.eye(3)
    cosine = (x * to_x + y * to_y + z * to_z) / math.hypot(x, y, z)
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    if angle < SMALL:
        return np.eye(3)
    x, y, z = (part / math.hypot(*axis) for part in axis)
    sin, cos, rest = math.sin(angle), math.cos(angle), 1 - math.cos(angle)
    return np.array(
        [
            [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
            [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
            [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
        ]
    )
