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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.joints import LEFT_SHOULDER, RIGHT_SHOULDER, SPINE_BASE, SPINE_MID
from data.skeleton_file import RawClip

Recipe = Literal["shift-gcn", "denoised"]
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


def clean(clip: RawClip, recipe: Recipe) -> CleanClip:
    """Apply `recipe`. Raises RawFileError when no frame holds a body."""
    listed, dropped = _by_energy(clip) if recipe == "shift-gcn" else _denoised(clip)
    bodies = [body for body in map(_trimmed, listed) if len(body)]
    if not bodies:
        raise RawFileError(clip.source, "no frame holds a body: all coordinates are zero")
    return _normalised(bodies, dropped)


def _filled(points: Coordinates | Points) -> NDArray[np.bool_]:
    """Which joints are not empty: (..., V, C) -> (..., V)."""
    return np.asarray(points.sum(axis=-1, dtype=np.float64) != 0)


def _filled_frames(body: Coordinates) -> NDArray[np.bool_]:
    """Which frames are not empty: (T, V, C) -> (T,)."""
    return np.asarray(body.sum(axis=(1, 2), dtype=np.float64) != 0)


def _by_energy(clip: RawClip) -> tuple[list[Coordinates], dict[str, int]]:
    """The two bodies with the most energy, the largest first, and how many went."""
    listed = [body for body in clip.listed(LISTED_BODIES) if _filled_frames(body).any()]
    energy = [body[_filled_frames(body)].std(axis=(0, 1), dtype=np.float64).sum() for body in listed]
    order = np.argsort(-np.asarray(energy), kind="stable")
    places = len(listed) + max(0, int(clip.row_place.max()) + 1 - LISTED_BODIES)
    return [listed[index] for index in order[:KEPT_BODIES]], _count("energy", places - KEPT_BODIES)


def _denoised(clip: RawClip) -> tuple[list[Coordinates], dict[str, int]]:
    """The two bodies with the largest variance among those that may be people, and how many went why."""
    bodies = [clip.joints[:, index] for index in range(clip.joints.shape[1])]  # (T, V, C)
    seen = [body[_filled_frames(body)] for body in bodies]
    left = [index for index, frames in enumerate(seen) if len(frames)]
    by_length = sorted(left, key=lambda index: len(seen[index]))
    short = _all_but_one([index for index in by_length if len(seen[index]) <= SHORT_FRAMES], left)
    left = [index for index in left if index not in short]
    noisy = {index: _wide_frames(seen[index]) for index in left}
    wide = _all_but_one([index for index in left if noisy[index].mean() >= WIDE_SHARE], left)
    left = [index for index in left if index not in wide]
    variance = [-_variance(seen[index], noisy[index]) for index in left]
    order = np.argsort(variance, kind="stable")
    dropped = {
        **_count("too short", len(short)),
        **_count("too wide", len(wide)),
        **_count("variance", len(left) - KEPT_BODIES),
    }
    return [bodies[left[index]] for index in order[:KEPT_BODIES]], dropped


def _all_but_one(noise: Sequence[int], left: Sequence[int]) -> Sequence[int]:
    """Those bodies of `noise` that go, in order: all of them, unless no body were `left`."""
    return noise[: len(left) - 1]


def _wide_frames(frames: Coordinates) -> NDArray[np.bool_]:
    """Which frames are wider than a person: (T, V, C) -> (T,)."""
    x, y = (np.ptp(frames[..., axis].astype(np.float64), axis=1) for axis in (0, 1))
    return np.asarray(x > WIDE_RATIO * y)


def _variance(frames: Coordinates, noisy: NDArray[np.bool_]) -> float:
    chosen = frames[~noisy] if not noisy.all() else frames
    return float(chosen.var(axis=(0, 1), dtype=np.float64).sum())


def _count(reason: str, number: int) -> dict[str, int]:
    return {reason: number} if number > 0 else {}


def _trimmed(body: Coordinates) -> Coordinates:
    """One period of a body, (L, V, C): no empty frames in front, none at the end."""
    filled = _filled_frames(body)
    if not filled.any():
        return body[:0]
    if not filled[0]:
        return body[filled]
    return body[: np.flatnonzero(filled)[-1] + 1]


def _normalised(bodies: Sequence[Coordinates], dropped: dict[str, int]) -> CleanClip:
    """Centre and rotate one or two bodies, (L, V, C) each, the main one first."""
    first = bodies[0].astype(np.float64)  # (L1, V, C)
    centre = first[:, SPINE_MID]  # (L1, C)
    rotation = _upright(np.where(_filled(first[0])[:, None], first[0] - centre[0], 0))
    length = max(len(body) for body in bodies)
    joints = np.zeros((len(bodies), length, *first.shape[1:]), np.float32)
    for place, body in enumerate(bodies):
        moved = (body - centre[np.arange(len(body)) % len(first), None]) @ rotation.T  # (L, V, C)
        joints[place, : len(body)] = np.where(_filled(body)[..., None], moved, 0)
    periods = (len(first), len(bodies[1]) if len(bodies) > 1 else 0)
    if len(bodies) == 1 or periods[0] == periods[1]:
        return CleanClip(joints, periods, np.zeros((0, 3), np.float32), dropped)
    second = joints[1, : periods[1]]
    second[_filled(bodies[1]) & ~second.any(axis=-1)] = (AT_CENTRE_M, 0, 0)
    return CleanClip(joints, periods, ((centre - centre[0]) @ rotation.T).astype(np.float32), dropped)


def _upright(frame: Points) -> Points:
    """The rotation (3, 3) that puts the spine of a centred frame (V, C) upright and its shoulders along +x."""
    spine = _rotation(frame[SPINE_MID] - frame[SPINE_BASE], np.array([0.0, 0.0, 1.0]))
    frame = frame @ spine.T
    shoulders = _rotation(frame[RIGHT_SHOULDER] - frame[LEFT_SHOULDER], np.array([1.0, 0.0, 0.0]))
    turned: Points = shoulders @ spine
    return turned


def _rotation(vector: Points, target: Points) -> Points:
    """The rotation (3, 3) about their common normal that takes the direction of `vector` to the unit `target`."""
    axis = np.cross(vector, target)
    if np.abs(axis).sum() < SMALL:
        return np.eye(3)
    angle = np.arccos(np.clip(vector @ target / np.linalg.norm(vector), -1, 1))
    if abs(angle) < SMALL:
        return np.eye(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Points = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned
