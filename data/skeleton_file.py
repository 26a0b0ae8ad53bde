"""Raw NTU RGB+D text files: one clip's bytes to arrays, and back.

    frames                                  the number of frames
    bodies                                  in this frame; 0 is legal
    id and 9 more numbers                   of each body
    25                                      its joints
    x y z, depth x y, colour x y, orientation w x y z, tracking state    of each joint; x, y, z in metres

Letters: T frames, M bodies, V = 25 joints, K bodies counted in every frame anew.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.joints import NUM_JOINTS

BODY_FIELDS = 10
JOINT_FIELDS = 12
BODY_LINES = 2 + NUM_JOINTS
MAX_BYTES = 1 << 26
MAX_BODY_FRAMES = 1 << 17  # an hour of one body at 30 frames a second


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


_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(rb"[+-]?\d{1,20}")


def parse_clip(content: bytes, source: str) -> RawClip:
    """Read one raw file. Raises DataError naming file (`source`), line and reason when anything in it is wrong."""
    return _parse_lines(content, source)


class _Lines:
    """The lines of a file, one after another; `wrong` names the last one."""

    def __init__(self, content: bytes, source: str) -> None:
        self._lines = iter(content.split(b"\n"))
        self._source = source
        self.number = 0

    def fields(self, wanted: str, number: int) -> list[bytes]:
        line = next(self._lines, None)
        if line is None:
            raise self.wrong(f"the file ends where {wanted} is wanted")
        self.number += 1
        fields = line.split()
        if len(fields) != number:
            raise self.wrong(f"{len(fields)} fields where {wanted} is wanted ({number})")
        return fields

    def count(self, wanted: str) -> int:
        (field,) = self.fields(wanted, 1)
        if not field.isdigit() or len(field) > 18:
            raise self.wrong(f"{_shown(field)} where {wanted} is wanted")
        return int(field)

    def end(self) -> None:
        for line in self._lines:
            self.number += 1
            if line.strip():
                raise self.wrong("more text after the last frame")

    def wrong(self, reason: str) -> DataError:
        return DataError(f"{self._source}, line {self.number}: {reason}")


def _parse_lines(content: bytes, source: str) -> RawClip:
    lines = _Lines(content, source)
    frames = lines.count("the number of frames")
    rows: list[list[list[float]]] = []
    index: list[tuple[int, int, int]] = []
    bodies: dict[int, int] = {}
    for frame in range(frames):
        for place in range(lines.count("the number of bodies")):
            fields = lines.fields("a body", BODY_FIELDS)
            body = int(fields[0])
            index.append((frame, bodies.setdefault(body, len(bodies)), place))
            joints = lines.count("the number of joints")
            if joints != NUM_JOINTS:
                raise lines.wrong(f"{joints} joints where {NUM_JOINTS} are wanted")
            rows.append([[float(f) for f in lines.fields("a joint", JOINT_FIELDS)[:3]] for _ in range(NUM_JOINTS)])
    lines.end()
    row_frame, row_body, row_place = np.array(index, dtype=np.int64).reshape(-1, 3).T
    return RawClip(
        source,
        frames,
        np.array(rows, dtype=np.float32).reshape(-1, NUM_JOINTS, 3),
        row_frame,
        row_body,
        row_place,
        np.array(list(bodies), dtype=np.int64),
    )


def _shown(field: bytes) -> str:
    return ascii(field[:40].decode("latin-1"))


def format_clip(
    joints: NDArray[np.floating],
    body_ids: Sequence[int] | None = None,
    *,
    newline: str = "\r\n",
) -> bytes:
    """Write (T, M, V, 3) metres in the raw format; the opposite of `parse_clip`.

    A body whose coordinates are all zero in a frame is absent there: the frame does not list it. Coordinates are
    written so that they come back as the same float32. `body_ids` default to numbers as large as a Kinect's.
    """
    coordinates = np.asarray(joints, np.float32)
    ids = [72057594037927936 + body for body in range(coordinates.shape[1])] if body_ids is None else list(body_ids)
    present = np.asarray(coordinates.any(axis=(2, 3)))  # (T, M)
    texts = coordinates.astype(np.str_)
    lines = [str(len(coordinates))]
    for frame, there in zip(texts, present, strict=True):
        lines.append(str(int(there.sum())))
        for body in np.flatnonzero(there):
            lines += [f"{ids[body]} 0 1 1 1 1 0 0 0 2", str(NUM_JOINTS)]
            lines += [f"{x} {y} {z} 0 0 0 0 0 0 0 0 2" for x, y, z in frame[body].tolist()]
    return (newline.join(lines) + newline).encode()
