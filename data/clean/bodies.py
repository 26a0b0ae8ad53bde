"""The recipes: which bodies of a raw clip are kept, and how they are centred and turned.

shift-gcn  the recipe behind the published Shift-GCN features. A body is a place in the frames' lists, and the first
           four are looked at. Kept are the two with the most energy: the standard deviation over joints and non-empty
           frames, summed over x, y, z.
denoised   the recipe of the CTR-GCN family. A body is an id. Bodies seen in 11 frames or fewer are dropped, then those
           that are too wide for a person in most frames (furniture), but never the last body of a clip. Kept are the
           two with the largest variance.

Both recipes then do the same:

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.joints import LEFT_SHOULDER, NUM_JOINTS, RIGHT_SHOULDER, SPINE_BASE, SPINE_MID
from data.raw.skeleton_file import RawClip
from data.recipes import Recipe

Coordinates = NDArray[np.float32]
Points = NDArray[np.float64]

KEPT_BODIES = 2
LISTED_BODIES = 4  # shift-gcn looks at the first four in a frame's list
SHORT_FRAMES = 11  # denoised: a body seen in this many frames or fewer is noise
WIDE_RATIO = 0.8  # denoised: a frame is too wide when its x-extent exceeds this share of its y-extent
WIDE_SHARE = 0.69754  # denoised: a body is dropped when at least this share of its frames is too wide
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
    """

    joints: Coordinates
    period: tuple[int, int]
    centre: Coordinates
    dropped: dict[str, int]


@dataclass(frozen=True)
class _Body:
    """One body of a raw clip, with masks of what is not empty."""

    points: Points  # (C, T, V)
    filled: NDArray[np.bool_]  # (T, V) true for joints that are not empty
    seen: NDArray[np.bool_]  # (T,) true for frames that are not empty

    @classmethod
    def of(cls, joints: Coordinates) -> Self:
        """Makes a body from its coordinates (T, V, C)."""
        points = np.ascontiguousarray(joints.transpose(2, 0, 1), np.float64)  # (C, T, V)
        sums = points[0] + points[1] + points[2]  # (T, V)
        return cls(points, sums != 0, sums.sum(axis=1) != 0)

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, frames: slice | NDArray[np.bool_]) -> "_Body":
        return _Body(self.points[:, frames], self.filled[frames], self.seen[frames])

    def seen_points(self) -> Points:
        """Returns the points of the non-empty frames, (C, T, V)."""
        return self.points if self.seen.all() else self.points[:, self.seen]

    def period(self) -> "_Body":
        """Cuts off empty frames at the end, or all empty frames when the first frame is empty."""
        return self[: int(np.flatnonzero(self.seen)[-1]) + 1] if self.seen[0] else self[self.seen]


def clean(clip: RawClip, recipe: Recipe) -> CleanClip:
    """Applies `recipe`. Raises RawFileError when no frame holds a body, or when the result overflows float32."""
    candidates = clip.listed(LISTED_BODIES) if recipe == "shift-gcn" else clip.joints.transpose(1, 0, 2, 3)
    bodies = [body for body in map(_Body.of, candidates) if body.seen.any()]  # each (T, V, C)
    if not bodies:
        raise RawFileError(clip.source, "no frame holds a body: all coordinates are zero")
    if recipe == "shift-gcn":
        unlisted = max(0, int(clip.row_place.max()) + 1 - LISTED_BODIES)
        dropped = {"energy": len(bodies) + unlisted - KEPT_BODIES}
        kept = _largest(bodies, [_spread(body.seen_points(), np.std) for body in bodies])
    else:
        kept, dropped = _denoised(bodies)
    cleaned = _normalised(
        [body.period() for body in kept], {reason: number for reason, number in dropped.items() if number > 0}
    )
    if not np.isfinite(cleaned.joints).all():
        raise RawFileError(clip.source, "its coordinates are too far apart for a float32")
    return cleaned


def _largest(bodies: Sequence[_Body], sizes: Sequence[float]) -> list[_Body]:
    """Returns the bodies to keep, the largest first. Bodies of equal size keep their order."""
    order = np.argsort(-np.asarray(sizes), kind="stable")
    return [bodies[index] for index in order[:KEPT_BODIES]]


def _spread(points: Points, measure: Callable[..., Points]) -> float:
    """Returns np.std or np.var over all frames and joints of (C, T, V), summed over x, y, z."""
    return float(measure(points.reshape(3, -1), axis=1).sum())


def _denoised(bodies: Sequence[_Body]) -> tuple[list[_Body], dict[str, int]]:
    """Returns the two bodies with the largest variance that may be people, and how many were dropped by reason.

    The variance leaves out frames that are too wide, unless all of a body's frames are.
    """
    by_length = sorted(range(len(bodies)), key=lambda index: int(bodies[index].seen.sum()))
    short = [index for index in by_length if bodies[index].seen.sum() <= SHORT_FRAMES][: len(bodies) - 1]
    long = [body for index, body in enumerate(bodies) if index not in short]
    wide_frames = [_wide_frames(body.seen_points()) for body in long]
    wide = [index for index, frames in enumerate(wide_frames) if frames.mean() >= WIDE_SHARE][: len(long) - 1]
    people = [index for index in range(len(long)) if index not in wide]
    variances = []
    for index in people:
        frames = wide_frames[index]
        variances.append(_spread(long[index].seen_points()[:, frames if frames.all() else ~frames], np.var))
    dropped = {"too short": len(short), "too wide": len(wide), "variance": len(people) - KEPT_BODIES}
    return _largest([long[index] for index in people], variances), dropped


def _wide_frames(points: Points) -> NDArray[np.bool_]:
    """Returns (T,) flags: true for the frames of (C, T, V) that are too wide for a person."""
    x, y = (np.ptp(plane, axis=1) for plane in points[:2])
    return np.asarray(x > WIDE_RATIO * y)


def _normalised(bodies: Sequence[_Body], dropped: dict[str, int]) -> CleanClip:
    """Centres and rotates one or two bodies, the main one first, each cut to its period."""
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
        return CleanClip(joints, periods, np.zeros((0, 3), np.float32), dropped)
    second = joints[1, : len(bodies[1])]
    second[bodies[1].filled & ~second.any(axis=-1)] = (AT_CENTRE_M, 0, 0)
    shifts = _turned(centre - centre[:, :1], rotation).T.astype(np.float32)  # (L1, C)
    return CleanClip(joints, (len(first), len(bodies[1])), shifts, dropped)


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
