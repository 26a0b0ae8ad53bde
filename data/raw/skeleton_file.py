"""Raw NTU RGB+D text files: one clip's bytes to arrays, and back.

    frames                                  the number of frames
    bodies                                  in this frame; 0 is legal
    id and 9 more numbers                   of each body
    25                                      its joints
    x y z, depth x y, colour x y, orientation w x y z, tracking state    of each joint; x, y, z in metres

Letters: T frames, M bodies, V = 25 joints, K bodies counted in every frame anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, RawFileError
from data.joints import NUM_JOINTS
from data.raw.skeleton_lines import COORDINATES, Rows, read_lines
from data.raw.skeleton_scan import BODY_LINES, scan

COLOUR = (5, 6)
TRACKING = 11
TRACKING_STATES = (0, 1, 2)  # not tracked, inferred, tracked
MAX_BYTES = 1 << 26
MAX_BODY_FRAMES = 1 << 17  # frames times bodies; more than an hour of one body at 30 frames a second
FIRST_BODY_ID = 72057594037927936  # as large as a Kinect's


@dataclass(frozen=True)
class RawClip:
    """One clip as it was recorded. K counts each body in each of its frames, in the order of the file."""

    source: str
    frames: int
    rows: NDArray[np.float32]  # (K, V, 3) metres
    row_frame: NDArray[np.int64]  # (K,) the frame of each row
    row_body: NDArray[np.int64]  # (K,) its body, as an index into body_ids
    row_place: NDArray[np.int64]  # (K,) its place in the frame's list of bodies
    body_ids: NDArray[np.int64]  # (M,) in order of first appearance
    row_colour: NDArray[np.float32] | None = None  # (K, V, 2) pixels, may be NaN; None unless asked for
    row_tracking: NDArray[np.int8] | None = None  # (K, V) 0 not tracked, 1 inferred, 2 tracked; None unless asked for

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """(T, M, V, 3) metres, bodies in order of first appearance; zero where a body is absent."""
        joints = np.zeros((self.frames, len(self.body_ids), NUM_JOINTS, 3), np.float32)
        joints[self.row_frame, self.row_body] = self.rows
        return joints

    def listed(self, places: int) -> NDArray[np.float32]:
        """(P, T, V, 3) metres: whatever body stands first in each frame's list, then second, ..., at most `places`."""
        used = min(places, int(self.row_place.max(initial=-1)) + 1)
        joints = np.zeros((used, self.frames, NUM_JOINTS, 3), np.float32)
        kept = self.row_place < used
        joints[self.row_place[kept], self.row_frame[kept]] = self.rows[kept]
        return joints


def parse_clip(content: bytes, source: str, *, details: bool = False) -> RawClip:
    """Read one raw file; with `details`, colour coordinates and tracking states too.

    Raises RawFileError naming file (`source`), line and reason when the file is not exactly what the format says, when
    a coordinate is no finite float32, when no frame holds a body, or when it is too large to be one clip.
    """
    if len(content) > MAX_BYTES:
        raise RawFileError(source, f"{len(content)} bytes; a clip has at most {MAX_BYTES}")
    columns = (*COORDINATES, *COLOUR, TRACKING) if details else COORDINATES
    rows = scan(content, columns) or read_lines(content, source, columns)
    if not len(rows.frame):
        raise RawFileError(source, f"no frame of its {rows.frames} holds a body")
    with np.errstate(over="ignore"):
        joints = rows.values[..., :3].astype(np.float32)  # (K, V, 3)
    _require(np.isfinite(joints).all(axis=(1, 2)), rows, source, "a coordinate is too large for a float32")
    ids, row_body = _bodies(rows, source)
    if rows.frames * len(ids) > MAX_BODY_FRAMES:
        raise RawFileError(
            source, f"{rows.frames} frames times {len(ids)} bodies; a clip may have {MAX_BODY_FRAMES} of them"
        )
    colour, tracking = _details(rows, source) if details else (None, None)
    return RawClip(source, rows.frames, joints, rows.frame, row_body, rows.place, ids, colour, tracking)


def _bodies(rows: Rows, source: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids in order of first appearance (M,), and the index of each row's body (K,)."""
    sorted_ids, first, inverse = np.unique(rows.body_id, return_index=True, return_inverse=True)
    order = np.argsort(first)
    index = np.empty_like(order)
    index[order] = np.arange(len(order))
    row_body = index[inverse]
    if rows.place.any():  # some frame lists more than one body
        key = rows.frame * len(order) + row_body
        once = np.zeros(len(key), dtype=bool)
        once[np.unique(key, return_index=True)[1]] = True
        _require(once, rows, source, "a body's id stands in this frame twice")
    return sorted_ids[order], row_body


def _details(rows: Rows, source: str) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    states = rows.values[..., 5]
    _require(np.isin(states, TRACKING_STATES).all(axis=1), rows, source, "a tracking state is not 0, 1 or 2")
    with np.errstate(over="ignore"):
        return rows.values[..., 3:5].astype(np.float32), states.astype(np.int8)


def _require(good: NDArray[np.bool_] | np.bool, rows: Rows, source: str, reason: str) -> None:
    """Raise RawFileError naming the first line of the first row (K,) that is not good."""
    if not np.all(good):
        row = int(np.argmin(good))
        line = int(rows.frame[row]) + 3 + BODY_LINES * row
        raise RawFileError(source, f"{reason}, in the body that starts here", line)


def format_clip(
    joints: NDArray[np.floating[Any]],
    body_ids: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    colour: NDArray[np.floating[Any]] | None = None,
    tracking: NDArray[np.integer[Any]] | None = None,
    newline: str = "\r\n",
) -> bytes:
    """Write (T, M, V, 3) metres in the raw format; what `parse_clip` reads back as the same float32.

    A body whose coordinates are all zero in a frame is absent there: the frame does not list it. So a body that the
    camera saw at zero can't be written. `body_ids` (M,) default to numbers as large as a Kinect's, `colour`
    (T, M, V, 2) pixels to zero, `tracking` (T, M, V) to 2. Raises DataError when the array has
    another shape or a coordinate is not finite.
    """
    coordinates = np.asarray(joints, np.float32)
    if coordinates.ndim != 4 or coordinates.shape[2:] != (NUM_JOINTS, 3):
        raise DataError(
            f"a clip is an array (frames, bodies, {NUM_JOINTS}, 3) in metres; this one is {coordinates.shape}"
        )
    num_frames, num_bodies = coordinates.shape[:2]
    if not np.isfinite(coordinates).all():
        raise DataError("a clip to be written has a coordinate that is not finite")
    ids = range(FIRST_BODY_ID, FIRST_BODY_ID + num_bodies) if body_ids is None else [int(body) for body in body_ids]
    pixels = np.zeros((num_frames, num_bodies, NUM_JOINTS, 2)) if colour is None else colour
    states = np.full((num_frames, num_bodies, NUM_JOINTS), 2) if tracking is None else tracking
    texts = np.concatenate([coordinates.astype(np.str_), pixels.astype(np.float32).astype(np.str_)], axis=-1)
    lines = [str(num_frames)]
    for frame, there in enumerate(np.asarray(coordinates.any(axis=(2, 3)))):
        lines.append(str(int(there.sum())))
        for body in np.flatnonzero(there).tolist():
            lines += [f"{ids[body]} 0 1 1 1 1 0 0 0 2", str(NUM_JOINTS)]
            numbers = zip(texts[frame, body].tolist(), states[frame, body].tolist(), strict=True)
            lines += [f"{x} {y} {z} 0 0 {u} {v} 0 0 0 0 {state}" for (x, y, z, u, v), state in numbers]
    return (newline.join(lines) + newline).encode("ascii")
