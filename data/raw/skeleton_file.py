"""Raw NTU RGB+D text files: `parse_clip` turns a file's bytes into arrays, `format_clip` turns arrays into bytes.

The lines of a file:

    number of frames
    number of bodies in the frame           for each frame; 0 is legal
    id and 9 more numbers                   for each body
    25                                      its number of joints
    x y z, depth x y, colour x y, orientation w x y z, tracking state    for each joint; x, y, z in metres

Letters: T frames, M bodies, V = 25 joints, K rows: one for each body in each frame.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, RawFileError
from data.joints import NUM_JOINTS
from data.raw.joint_array import require_joints
from data.raw.skeleton_lines import COORDINATES, Rows, read_lines
from data.raw.skeleton_scan import BODY_LINES, scan

COLOUR = (5, 6)
TRACKING = 11
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
TRACKING_STATES = (0, 1, 2)  # not tracked, inferred, tracked
MAX_BYTES = 1 << 26
MAX_BODY_FRAMES = 1 << 17  # frames times bodies; more than an hour of one body at 30 frames a second
FIRST_BODY_ID = 72057594037927936  # the size of a Kinect's body ids


@dataclass(frozen=True)
class RawClip:
    """One clip as it was recorded. Its K rows are in the order of the file."""

    source: str
    frames: int
    rows: NDArray[np.float32]  # (K, V, 3) metres
    row_frame: NDArray[np.int64]  # (K,) the row's frame
    row_body: NDArray[np.int64]  # (K,) the row's body, as an index into body_ids
    row_place: NDArray[np.int64]  # (K,) the row's place in the frame's list of bodies
    body_ids: NDArray[np.int64]  # (M,) in order of first appearance
    row_colour: NDArray[np.float32] | None = None  # (K, V, 2) pixels, may be NaN; None without `details`
    row_tracking: NDArray[np.int8] | None = None  # (K, V) 0 not tracked, 1 inferred, 2 tracked; None without `details`

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """The coordinates (T, M, V, 3) in metres, bodies in order of first appearance. Absent bodies are zero."""
        joints = np.zeros((self.frames, len(self.body_ids), NUM_JOINTS, 3), np.float32)
        joints[self.row_frame, self.row_body] = self.rows
        return joints

    @property
    def longest_list(self) -> int:
        """The number of bodies in the frame that lists the most."""
        return int(self.row_place.max(initial=-1)) + 1

    def listed(self, places: int) -> NDArray[np.float32]:
        """Returns coordinates by place, (P, T, V, 3) metres: index p is the p-th body in each frame's list.

        P is the length of the longest list, and at most `places`. The body at a place may differ between frames.
        """
        num_places = min(places, self.longest_list)
        joints = np.zeros((num_places, self.frames, NUM_JOINTS, 3), np.float32)
        listed = self.row_place < num_places
        joints[self.row_place[listed], self.row_frame[listed]] = self.rows[listed]
        return joints


def parse_clip(content: bytes, source: str, *, details: bool = False) -> RawClip:
    """Parses one raw file. With `details` it reads colour coordinates and tracking states too.

    Raises RawFileError with the file (`source`), line and reason when the file breaks the format, when a coordinate is
    not a finite float32, when no frame holds a body, or when the file is too large for one clip.
    """
    if len(content) > MAX_BYTES:
        raise RawFileError(source, f"{len(content)} bytes; a clip has at most {MAX_BYTES}")
    if content.startswith(UTF_16):
        raise RawFileError(source, "the file is UTF-16; save it as UTF-8, without a byte order mark")
    if content.startswith(codecs.BOM_UTF8):
        raise RawFileError(source, "the file begins with a byte order mark; save it as UTF-8 without one")
    columns = (*COORDINATES, *COLOUR, TRACKING) if details else COORDINATES
    rows = scan(content, columns) or read_lines(content, source, columns)
    if not len(rows.frame):
        raise RawFileError(source, f"none of its {rows.frames} frames holds a body")
    with np.errstate(over="ignore"):
        joints = rows.values[..., :3].astype(np.float32)  # (K, V, 3)
    _require(np.isfinite(joints).all(axis=(1, 2)), rows, source, "a coordinate is too large for a float32")
    ids, row_body = _bodies(rows, source)
    if rows.frames * len(ids) > MAX_BODY_FRAMES:
        raise RawFileError(
            source, f"{rows.frames} frames times {len(ids)} bodies; a clip has at most {MAX_BODY_FRAMES}"
        )
    colour, tracking = _details(rows, source) if details else (None, None)
    return RawClip(source, rows.frames, joints, rows.frame, row_body, rows.place, ids, colour, tracking)


def _bodies(rows: Rows, source: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the body ids in order of first appearance (M,), and each row's index into them (K,)."""
    sorted_ids, first, inverse = np.unique(rows.body_id, return_index=True, return_inverse=True)
    order = np.argsort(first)
    index = np.empty_like(order)
    index[order] = np.arange(len(order))
    row_body = index[inverse]
    if rows.place.any():  # some frame lists more than one body
        key = rows.frame * len(order) + row_body
        first_time = np.zeros(len(key), dtype=bool)
        first_time[np.unique(key, return_index=True)[1]] = True
        _require(first_time, rows, source, "a body id occurs twice in this frame")
    return sorted_ids[order], row_body


def _details(rows: Rows, source: str) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Returns colour coordinates (K, V, 2) and tracking states (K, V)."""
    states = rows.values[..., 5]
    _require(np.isin(states, TRACKING_STATES).all(axis=1), rows, source, "a tracking state is not 0, 1 or 2")
    with np.errstate(over="ignore"):
        return rows.values[..., 3:5].astype(np.float32), states.astype(np.int8)


def _require(good: NDArray[np.bool_] | np.bool, rows: Rows, source: str, reason: str) -> None:
    """Raises RawFileError when not all rows (K,) are good. Its line is the first line of the first bad row."""
    if not np.all(good):
        row = int(np.argmin(good))
        line = int(rows.frame[row]) + 3 + BODY_LINES * row
        raise RawFileError(source, f"{reason} (the body that starts at this line)", line)


def format_clip(
    joints: NDArray[np.floating[Any]],
    body_ids: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    colour: NDArray[np.floating[Any]] | None = None,
    tracking: NDArray[np.integer[Any]] | None = None,
    newline: str = "\r\n",
) -> bytes:
    """Writes (T, M, V, 3) metres in the raw format. `parse_clip` reads back the same float32.

    A frame does not list a body whose coordinates are all zero in it, because zero means absent. `body_ids` (M,)
    default to numbers of the size of a Kinect's, `colour` (T, M, V, 2) pixels to zero, `tracking` (T, M, V) to 2.
    Raises DataError when the array has another shape, a coordinate is not finite, or a frame has more bodies than a
    sensor tracks, as when frames and bodies are exchanged.
    """
    coordinates = np.asarray(joints, np.float32)
    if coordinates.ndim != 4 or coordinates.shape[2:] != (NUM_JOINTS, 3):
        raise DataError(
            f"expected an array (frames, bodies, {NUM_JOINTS}, 3) in metres, found shape {coordinates.shape}"
        )
    num_frames, num_bodies = coordinates.shape[:2]
    if not np.isfinite(coordinates).all():
        raise DataError("can't write a clip with a coordinate that is not finite")
    require_joints(coordinates)
    ids = range(FIRST_BODY_ID, FIRST_BODY_ID + num_bodies) if body_ids is None else [int(body) for body in body_ids]
    pixels = np.zeros((num_frames, num_bodies, NUM_JOINTS, 2)) if colour is None else colour
    states = np.full((num_frames, num_bodies, NUM_JOINTS), 2) if tracking is None else tracking
    texts = np.concatenate([coordinates.astype(np.str_), pixels.astype(np.float32).astype(np.str_)], axis=-1)
    lines = [str(num_frames)]
    for frame, present in enumerate(np.asarray(coordinates.any(axis=(2, 3)))):
        lines.append(str(int(present.sum())))
        for body in np.flatnonzero(present).tolist():
            lines += [f"{ids[body]} 0 1 1 1 1 0 0 0 2", str(NUM_JOINTS)]
            numbers = zip(texts[frame, body].tolist(), states[frame, body].tolist(), strict=True)
            lines += [f"{x} {y} {z} 0 0 {u} {v} 0 0 0 0 {state}" for (x, y, z, u, v), state in numbers]
    return (newline.join(lines) + newline).encode("ascii")
