"""How each recipe chooses one or two bodies of a raw clip; data.clean.bodies describes them.

Letters: M bodies, T frames of the clip, n frames of a piece, V = 25 joints, C = 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.clean.people import Coordinates, Piece, chained, people, pieces_of, two_actors
from data.errors import RawFileError
from data.raw.skeleton_file import RawClip
from data.recipes import Recipe

Points = NDArray[np.float64]

KEPT_BODIES = 2
LISTED_BODIES = 4  # shift-gcn looks at the first four in a frame's list
SHORT_FRAMES = 11  # denoised: a body seen in this many frames or fewer is noise
WIDE_RATIO = 0.8  # denoised: a frame is too wide when its x-extent exceeds this share of its y-extent
WIDE_SHARE = 0.69754  # denoised: a body is dropped when at least this share of its frames is too wide
TRACKED_BODIES = 16  # tracked follows at most so many at once; a Kinect sees six


@dataclass(frozen=True)
class Body:
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

    def __getitem__(self, frames: slice | NDArray[np.bool_]) -> "Body":
        return Body(self.points[:, frames], self.filled[frames], self.seen[frames])

    def seen_points(self) -> Points:
        """Returns the points of the non-empty frames, (C, T, V)."""
        return self.points if self.seen.all() else self.points[:, self.seen]

    def period(self) -> "Body":
        """Cuts off empty frames at the end, or all empty frames when the first frame is empty."""
        return self[: int(np.flatnonzero(self.seen)[-1]) + 1] if self.seen[0] else self[self.seen]


@dataclass(frozen=True)
class Choice:
    """What is kept of a clip.

    bodies: one or two, the main body first; none when no frame holds a body.
    dropped: the number of other bodies, by the reason why they were dropped.
    joined, exchanged: as in CleanClip.
    """

    bodies: list[Body]
    dropped: dict[str, int]
    joined: bool
    exchanged: bool


def by_place(clip: RawClip) -> Choice:
    """Chooses as shift-gcn does: by place in the list, the two with the most energy."""
    listed = clip.listed(LISTED_BODIES)
    bodies = [body for body in map(Body.of, listed) if body.seen.any()]  # each (T, V, C)
    unlisted = max(0, clip.longest_list - LISTED_BODIES)
    kept = largest([spread(body.seen_points(), np.std) for body in bodies])[:KEPT_BODIES]
    dropped = {"energy": len(bodies) + unlisted - KEPT_BODIES}
    changed = len(listed) > 1 and any(piece.changes_body for piece in people(listed))
    return Choice([bodies[index] for index in kept], dropped, False, changed)


def denoised(clip: RawClip) -> Choice:
    """Chooses by id, without noise, and joins the ids of each person."""
    several = len(clip.body_ids) > 1
    found = pieces_of(clip.joints.transpose(1, 0, 2, 3))
    persons, dropped = _without_noise(chained(found) if several else found)
    actors, actor = two_actors(persons, clip.frames)
    dropped["variance"] = actor.count(-1)
    actor_of_id = np.full(len(clip.body_ids), -1)
    for piece, place in zip(persons, actor, strict=True):
        actor_of_id[piece.bodies] = place
    joined = int((actor_of_id >= 0).sum()) > len(actors)
    changed = clip.longest_list > 1 and _changes_actor(clip, actor_of_id)
    return Choice([Body.of(joints) for joints in actors], dropped, joined, changed)


def _changes_actor(clip: RawClip, actor_of_id: NDArray[np.int64]) -> bool:
    """Whether a person, followed by position, has ids of several actors, or of one and of a body that is dropped."""
    listed = clip.listed(TRACKED_BODIES)
    actor = np.full(listed.shape[:2], -1)
    rows = clip.row_place < len(listed)
    actor[clip.row_place[rows], clip.row_frame[rows]] = actor_of_id[clip.row_body[rows]]
    return any(len(np.unique(actor[piece.bodies, piece.frames])) > 1 for piece in people(listed))


def tracked(clip: RawClip) -> Choice:
    """Chooses among people who are followed by position. Raises RawFileError when a frame lists too many bodies."""
    listed = clip.longest_list
    if listed > TRACKED_BODIES:
        raise RawFileError(
            clip.source, f"a frame lists {listed} bodies; the recipe tracked follows at most {TRACKED_BODIES} at once"
        )
    places = clip.listed(TRACKED_BODIES)
    found = people(places) if listed > 1 else pieces_of(places)
    persons = [found[index] for index in largest([spread(_points(piece), np.std) for piece in found])]
    actors, actor = two_actors(persons, clip.frames)
    changed = any(piece.changes_body for piece in persons)
    return Choice([Body.of(joints) for joints in actors], {"energy": actor.count(-1)}, False, changed)


CHOOSE: Mapping[Recipe, Callable[[RawClip], Choice]] = {
    "shift-gcn": by_place,
    "denoised": denoised,
    "tracked": tracked,
}


def largest(sizes: Sequence[float]) -> list[int]:
    """Returns the indices of the sizes, the largest first. Equal sizes keep their order."""
    order: list[int] = np.argsort(-np.asarray(sizes), kind="stable").tolist()
    return order


def spread(points: Points, measure: Callable[..., Points]) -> float:
    """Returns np.std or np.var over all frames and joints of (C, T, V), summed over x, y, z."""
    return float(measure(points.reshape(3, -1), axis=1).sum())


def _without_noise(persons: Sequence[Piece]) -> tuple[list[Piece], dict[str, int]]:
    """Returns those who may be people, the largest variance first, and how many were dropped by reason.

    The variance leaves out frames that are too wide, unless all of a body's frames are.
    """
    by_length = sorted(range(len(persons)), key=lambda index: len(persons[index].frames))
    short = {index for index in by_length[:-1] if len(persons[index].frames) <= SHORT_FRAMES}
    long = [piece for index, piece in enumerate(persons) if index not in short]
    points = [_points(piece) for piece in long]
    wide_frames = [_wide_frames(of_piece) for of_piece in points]
    wide = [index for index, frames in enumerate(wide_frames) if frames.mean() >= WIDE_SHARE][: len(long) - 1]
    left = [index for index in range(len(long)) if index not in wide]
    variances = []
    for index in left:
        frames = wide_frames[index]
        variances.append(spread(points[index][:, frames if frames.all() else ~frames], np.var))
    return [long[left[index]] for index in largest(variances)], {"too short": len(short), "too wide": len(wide)}


def _points(piece: Piece) -> Points:
    return np.ascontiguousarray(piece.poses.transpose(2, 0, 1), np.float64)  # (C, n, V)


def _wide_frames(points: Points) -> NDArray[np.bool_]:
    """Returns (T,) flags: true for the frames of (C, T, V) that are too wide for a person."""
    x, y = (np.ptp(plane, axis=1) for plane in points[:2])
    return np.asarray(x > WIDE_RATIO * y)
