"""Who is who from frame to frame. A person may change the place in a frame's list of bodies, and the id.

A *piece* is what certainly is one person: a body of one id, or one that is followed by position without a break.
`chained` joins pieces of one person where position tells so, `two_actors` joins what is left until two bodies remain.

How far apart two poses are is the root mean square distance of their joints, in metres. No function depends on the
order of the bodies.

Letters: M bodies (ids, or places in a list), T frames of the clip, V = 25 joints, n frames of a piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from data.joints import NUM_JOINTS

Coordinates = NDArray[np.float32]
Numbers = NDArray[np.int64]
Metres = NDArray[np.float64]

NEAR_M = 0.5  # poses that are farther apart than this are not known to be of one person
ACTORS = 2
SHARED_FRAMES = 1  # a sensor may list a person under the old and the new id in the frame where the id changes
MOST_PIECES = 1000  # of more pieces than this, which no real clip has, `chained` joins only the longest


@dataclass(frozen=True)
class Piece:
    """Where one person is seen.

    frames: (n,) ascending. poses: (n, V, 3) metres. bodies: (n,) which of the M bodies the person is in that frame.
    """

    frames: Numbers
    poses: Coordinates
    bodies: Numbers

    @property
    def changes_body(self) -> bool:
        """Whether the person is not the same of the M bodies in all frames."""
        return bool((self.bodies != self.bodies[0]).any())


def seen_frames(bodies: Coordinates) -> NDArray[np.bool_]:
    """Returns flags (M, T): true where the coordinates (M, T, V, 3) of a body do not sum to zero."""
    sums = bodies[..., 0].astype(np.float64)  # (M, T, V)
    sums += bodies[..., 1]
    sums += bodies[..., 2]
    return np.asarray(sums.sum(axis=-1) != 0)


def pieces_of(bodies: Coordinates) -> list[Piece]:
    """Returns each body of (M, T, V, 3) that is seen as a piece."""
    seen = seen_frames(bodies)
    labels = np.where(seen, np.arange(len(bodies))[:, None], -1)
    return _labelled(bodies, labels, np.arange(bodies.shape[1]))


def people(bodies: Coordinates) -> list[Piece]:
    """Follows each person by position through all bodies (M, T, V, 3), in the order of their first frames."""
    return chained(followed(bodies))


def followed(bodies: Coordinates) -> list[Piece]:
    """Follows each person by position from one frame to the next, as far as that goes without a break.

    Two bodies of consecutive frames are one person where each is the nearest to the other and they are near.
    """
    seen = seen_frames(bodies)
    frames = np.flatnonzero(seen.any(axis=0))  # a clip may have many more frames than bodies
    bodies, seen = bodies[:, frames], seen[:, frames]
    before = _bodies_before(bodies, seen, np.flatnonzero(np.diff(frames) > 1) + 1)
    new = seen & (before < 0)  # (M, T)
    other = (before >= 0) & (before != np.arange(len(bodies))[:, None])
    changes = np.flatnonzero((new | other).any(axis=0)).tolist()  # frames; in all others everyone stays the same body
    labels, last, count = np.full(seen.shape, -1), np.full(len(bodies), -1), 0
    for frame, next_change in pairwise([*changes, seen.shape[1]]):
        last = np.where(before[:, frame] >= 0, last[before[:, frame]], last)
        for body in sorted(np.flatnonzero(new[:, frame]), key=lambda body: bodies[body, frame].tobytes()):
            last[body] = count
            count += 1
        labels[:, frame:next_change] = last[:, None]
    return _labelled(bodies, np.where(seen, labels, -1), frames)


def _bodies_before(bodies: Coordinates, seen: NDArray[np.bool_], breaks: Numbers) -> Numbers:
    """Returns which body of the frame before is the same person (M, T), -1 where none is, as in `breaks`."""
    number, frames = seen.shape
    points = bodies.reshape(number, frames, NUM_JOINTS * 3).astype(np.float64)
    metres = np.full((number, number, frames), np.inf)  # (M before, M after, T)
    for before in range(number):
        metres[before, :, 1:] = _metres(points[before, :-1], points[:, 1:])
    metres[:, :, 1:][~(seen[:, None, :-1] & seen[None, :, 1:])] = np.inf
    metres[:, :, breaks] = np.inf
    nearest_before, nearest_after = metres.argmin(axis=0), metres.argmin(axis=1)  # (M after, T), (M before, T)
    mutual = nearest_after[nearest_before, np.arange(frames)] == np.arange(number)[:, None]
    return np.where(mutual & (metres.min(axis=0) <= NEAR_M), nearest_before, -1)


def _labelled(bodies: Coordinates, labels: Numbers, frames: Numbers) -> list[Piece]:
    """Returns a piece for each label (M, T), of one body a frame at most. -1 is no label. frames: (T,) of the clip."""
    frame, body = np.nonzero(labels.T >= 0)  # (rows,) in the order of frames
    label = labels[body, frame]
    rows = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])
    return [Piece(frames[frame[row]], bodies[body[row], frame[row]], body[row]) for row in rows if len(row)]


def chained(pieces: Sequence[Piece]) -> list[Piece]:
    """Joins pieces that follow each other, with or without frames between them, and are near where they meet.

    Where several may be joined, the nearest two are, then the next. Returns people in the order of their first frames.
    """
    chains: list[list[Piece]] = []
    by_length = sorted(range(len(pieces)), key=lambda index: -len(pieces[index].frames))
    longest = [pieces[index] for index in sorted(by_length[:MOST_PIECES])]
    others = [pieces[index] for index in by_length[MOST_PIECES:]]
    for start, group in groupby(sorted(longest, key=_first_frame), key=_first_frame):
        beginning = list(group)
        ended = [chain for chain in chains if chain[-1].frames[-1] < start]
        metres = np.full((len(beginning), len(ended)), np.inf)
        if ended:
            last = np.stack([_flat(chain[-1].poses[-1]) for chain in ended])  # (chains, V * 3)
            for row, piece in enumerate(beginning):
                metres[row] = _metres(last, _flat(piece.poses[0]))
        pairs = _nearest_pairs(metres)
        for row, column in pairs.items():
            ended[column].append(beginning[row])
        chains += [[piece] for row, piece in enumerate(beginning) if row not in pairs]
    return sorted([*map(_joined, chains), *others], key=_first_frame)


def _first_frame(piece: Piece) -> int:
    return int(piece.frames[0])


def _nearest_pairs(metres: Metres) -> dict[int, int]:
    """Returns row -> column, the nearest pair first, each row and column at most once, none farther than NEAR_M."""
    pairs: dict[int, int] = {}
    while metres.size and metres.min() <= NEAR_M:
        row, column = divmod(int(metres.argmin()), metres.shape[1])
        pairs[row] = column
        metres[row], metres[:, column] = np.inf, np.inf
    return pairs


def _joined(chain: Sequence[Piece]) -> Piece:
    if len(chain) == 1:
        return chain[0]
    return Piece(
        np.concatenate([piece.frames for piece in chain]),
        np.concatenate([piece.poses for piece in chain]),
        np.concatenate([piece.bodies for piece in chain]),
    )


def two_actors(pieces: Sequence[Piece], frames: int) -> tuple[Coordinates, list[int]]:
    """Joins pieces, the most important first, to one or two bodies: as many as are seen at the same time.

    A piece that is never seen beside an actor, but for SHARED_FRAMES, is another piece of that actor. Where that holds
    for both actors, it is the one who is nearer where they meet. A piece that fits neither is left out. In a frame that
    two pieces of an actor share, the less important one is taken.

    Returns the actors (1 or 2, T, V, 3), zero where they are not seen, and the actor of each piece, -1 for none.
    """
    joints = np.zeros((ACTORS, frames, NUM_JOINTS, 3), np.float32)
    seen = np.zeros((ACTORS, frames), np.bool_)
    number = 0  # of actors until now
    chosen: list[int] = []
    for piece in pieces:
        free = [actor for actor in range(number) if seen[actor, piece.frames].sum() <= SHARED_FRAMES]
        if len(free) > 1:
            free.sort(key=lambda actor: _gap(joints[actor], np.flatnonzero(seen[actor]), piece))
        if not free and number < ACTORS:
            free, number = [number], number + 1
        chosen.append(free[0] if free else -1)
        if free:
            joints[free[0], piece.frames] = piece.poses
            seen[free[0], piece.frames] = True
    return joints[:number], chosen


def _gap(joints: Coordinates, seen: Numbers, piece: Piece) -> float:
    """Returns how far an actor (T, V, 3), seen in the frames `seen`, and `piece` are apart where they meet."""
    place = np.searchsorted(seen, piece.frames)  # (n,)
    near = np.stack([seen[(place - 1).clip(0)], seen[place.clip(max=len(seen) - 1)]])  # (2, n) frames of the actor
    side, row = divmod(int(np.abs(near - piece.frames).argmin()), len(piece.frames))
    return float(_metres(_flat(joints[near[side, row]]), _flat(piece.poses[row])))


def _flat(pose: Coordinates) -> Metres:
    return pose.reshape(NUM_JOINTS * 3).astype(np.float64)


def _metres(poses: NDArray[np.floating], others: NDArray[np.floating]) -> Metres:
    """Returns how far apart poses (..., V * 3) are, (...)."""
    step = poses - others
    return np.asarray(np.sqrt(np.einsum("...k,...k->...", step, step) / NUM_JOINTS))
