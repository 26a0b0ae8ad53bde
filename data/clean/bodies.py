"""Which bodies of a raw clip are kept, and how they are moved to a common place and direction.

Recipes:

shift-gcn  what published Shift-GCN features were made with: bodies by their place in each frame's list, the first four,
           the two with the most energy (standard deviation over joints and non-empty frames, summed over x, y, z).
denoised   as the CTR-GCN family does: bodies by their id; those seen in 11 frames or fewer go, then those that are too
           wide for a person in most frames (furniture); the two with the largest variance are kept. The last body of
           a clip is never dropped.

Then, for both: a body whose first frame is empty loses its empty frames, empty frames at the end are cut off (what is
left is its *period*, repeated on reading), the first body's spine mid becomes the origin of every frame, and all is
rotated twice: so that in the first body's first frame spine base -> spine mid lies along +z, then so that left shoulder
-> right shoulder lies along +x. A body, frame or joint is empty where its coordinates sum to zero. Bodies that rank
equal stay in listed order. Computed in float64, from float32 and to float32.

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
LISTED_BODIES = 4  # shift-gcn looks at no more
SHORT_FRAMES = 11  # denoised: a body seen this often or less is noise
WIDE_RATIO = 0.8  # denoised: a frame is noisy when its x-extent exceeds this share of its y-extent
WIDE_SHARE = 0.69754  # denoised: a body goes when this share of its frames is noisy
SMALL = 1e-6  # no rotation where the axis or the angle is smaller
AT_CENTRE_M = 1e-30  # a joint of the second body exactly in the centre; zero would say that it is absent


@dataclass(frozen=True)
class CleanClip:
    """One normalised clip.

    joints: (M, T, V, C) float32 metres, M = 1 or 2; zero where a joint is absent and where a body's period is over.
    period: frames after which each body starts anew, (L1, L2); the larger one is T, L2 = 0 without a second body.
    centre: (L1, 3) float32, the first body's spine mid, rotated, less its first frame; (0, 3) when M = 1 or L1 = L2.
    dropped: how many non-empty bodies the recipe left out, by reason.
    """

    joints: Coordinates
    period: tuple[int, int]
    centre: Coordinates
    dropped: dict[str, int]


@dataclass(frozen=True)
class _Body:
    """One body of a raw clip, and what of it is empty."""

    points: Points  # (C, T, V): a plane each of x, y and z
    filled: NDArray[np.bool_]  # (T, V) joints that are not empty
    seen: NDArray[np.bool_]  # (T,) frames that are not empty

    @classmethod
    def of(cls, joints: Coordinates) -> Self:
        """The body with these coordinates, (T, V, C)."""
        points = np.ascontiguousarray(joints.transpose(2, 0, 1), np.float64)  # (C, T, V)
        sums = points[0] + points[1] + points[2]  # (T, V)
        return cls(points, sums != 0, sums.sum(axis=1) != 0)

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, frames: slice | NDArray[np.bool_]) -> "_Body":
        return _Body(self.points[:, frames], self.filled[frames], self.seen[frames])

    def seen_points(self) -> Points:
        """Without empty frames, (C, T, V)."""
        return self.points if self.seen.all() else self.points[:, self.seen]

    def period(self) -> "_Body":
        """The body without empty frames at its end, and without any when its first frame is empty."""
        return self[: int(np.flatnonzero(self.seen)[-1]) + 1] if self.seen[0] else self[self.seen]


def clean(clip: RawClip, recipe: Recipe) -> CleanClip:
    """Apply `recipe`. Raises RawFileError when no frame holds a body, or the coordinates are beyond all measure."""
    places = clip.listed(LISTED_BODIES) if recipe == "shift-gcn" else clip.joints.transpose(1, 0, 2, 3)
    bodies = [body for body in map(_Body.of, places) if body.seen.any()]
    if not bodies:
        raise RawFileError(clip.source, "no frame holds a body: all coordinates are zero")
    if recipe == "shift-gcn":
        unlisted = max(0, int(clip.row_place.max()) + 1 - LISTED_BODIES)
        dropped = {"energy": len(bodies) + unlisted - KEPT_BODIES}
        kept = _largest(bodies, [_spread(body.seen_points(), np.std) for body in bodies])
    else:
        kept, dropped = _denoised(bodies)
    cleaned = _normalised(
        [body.period() for body in kept], {why: number for why, number in dropped.items() if number > 0}
    )
    if not np.isfinite(cleaned.joints).all():
        raise RawFileError(clip.source, "its coordinates are too far apart for a float32")
    return cleaned


def _largest(bodies: Sequence[_Body], sizes: Sequence[float]) -> list[_Body]:
    """The bodies that are kept, the largest first; of equal ones the first listed comes first."""
    order = np.argsort(-np.asarray(sizes), kind="stable")
    return [bodies[index] for index in order[:KEPT_BODIES]]


def _spread(points: Points, measure: Callable[..., Points]) -> float:
    """np.std or np.var over all frames and joints, summed over x, y, z: (C, T, V) -> a number."""
    return float(measure(points.reshape(3, -1), axis=1).sum())


def _denoised(bodies: Sequence[_Body]) -> tuple[list[_Body], dict[str, int]]:
    """The two bodies with the largest variance among those that may be people, and how many went why."""
    shortest_first = sorted(range(len(bodies)), key=lambda index: int(bodies[index].seen.sum()))
    brief = [index for index in shortest_first if bodies[index].seen.sum() <= SHORT_FRAMES]
    short = _all_but_one(brief, len(bodies))
    left = [body for index, body in enumerate(bodies) if index not in short]
    noisy = [_wide_frames(body.seen_points()) for body in left]
    wide = _all_but_one([index for index, frames in enumerate(noisy) if frames.mean() >= WIDE_SHARE], len(left))
    people = [(body, frames) for index, (body, frames) in enumerate(zip(left, noisy, strict=True)) if index not in wide]
    variances = [_spread(body.seen_points()[:, frames if frames.all() else ~frames], np.var) for body, frames in people]
    dropped = {"too short": len(short), "too wide": len(wide), "variance": len(people) - KEPT_BODIES}
    return _largest([body for body, _ in people], variances), dropped


def _all_but_one(noise: Sequence[int], bodies: int) -> Sequence[int]:
    """Those of the bodies in `noise` that go, in order: all of them, but for the last one of a clip."""
    return noise[: bodies - 1]


def _wide_frames(points: Points) -> NDArray[np.bool_]:
    """Which frames are wider than a person: (C, T, V) -> (T,)."""
    x, y = (np.ptp(plane, axis=1) for plane in points[:2])
    return np.asarray(x > WIDE_RATIO * y)


def _normalised(bodies: Sequence[_Body], dropped: dict[str, int]) -> CleanClip:
    """Centre and rotate one or two bodies, the main one first, each cut to its period."""
    first = bodies[0]
    centre = first.points[:, :, SPINE_MID]  # (C, L1)
    rotation = _upright((first.points[:, 0] - centre[:, :1]) * first.filled[0])
    joints = np.zeros((len(bodies), max(map(len, bodies)), NUM_JOINTS, 3), np.float32)
    with np.errstate(over="ignore"):
        for place, body in enumerate(bodies):
            moved = body.points - centre[:, np.arange(len(body)) % len(first), None]  # (C, L, V)
            joints[place, : len(body)] = (_turned(moved, rotation) * body.filled).transpose(1, 2, 0)  # (L, V, C)
    if len(bodies) == 1 or len(bodies[0]) == len(bodies[1]):
        periods = (len(first), len(bodies[1]) if len(bodies) == 2 else 0)
        return CleanClip(joints, periods, np.zeros((0, 3), np.float32), dropped)
    second = joints[1, : len(bodies[1])]
    second[bodies[1].filled & ~second.any(axis=-1)] = (AT_CENTRE_M, 0, 0)
    shifts = _turned(centre - centre[:, :1], rotation).T.astype(np.float32)  # (L1, C)
    return CleanClip(joints, (len(first), len(bodies[1])), shifts, dropped)


def _turned(points: Points, rotation: Points) -> Points:
    """The points (C, ...) turned; without a matrix library, whose last bit may depend on its number of threads."""
    x, y, z = points
    return np.stack([x * to_x + y * to_y + z * to_z for to_x, to_y, to_z in rotation.tolist()])


def _upright(frame: Points) -> Points:
    """The rotation (3, 3) that puts the spine of a centred frame (C, V) upright and its shoulders along +x."""
    spine = _rotation(frame[:, SPINE_MID] - frame[:, SPINE_BASE], (0.0, 0.0, 1.0))
    frame = _turned(frame, spine)
    shoulders = _rotation(frame[:, RIGHT_SHOULDER] - frame[:, LEFT_SHOULDER], (1.0, 0.0, 0.0))
    turned: Points = shoulders @ spine
    return turned


def _rotation(vector: Points, target: tuple[float, float, float]) -> Points:
    """The rotation (3, 3) about their common normal that takes the direction of `vector` to the unit `target`.

    In plain numbers: numpy's calls cost more than the arithmetic here, and they came to half of a clip's time.
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
