"""Packs frames that a reader yields one by one into blocks, and gives each body its place.

Letters: t frames of a block, M bodies, J joints of the source.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.recordings.recording import BLOCK_FRAMES, MAX_FRAMES, FrameBlock

MAX_PLACES = 64  # for bodies; a sensor tracks at most 10 at once
FREE_AFTER_FRAMES = BLOCK_FRAMES  # a body that is away so long leaves its place to the next new one


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the points (J, 3) of each body by its id, NaN where absent."""

    bodies: Mapping[int | str, NDArray[np.float32]]
    number: int | None = None  # None = count from 0
    time_s: float | None = None
    line: int | None = None  # where the frame begins in its file


class _Places:
    """Which place each body has. Trackers give a person a new id when they lose it, so places are used again."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._bodies: list[int | str] = []  # the body of each place
        self._seen: list[int] = []  # the frame in which each was last seen

    def of(self, body: int | str, frame: int, line: int | None) -> int:
        """Returns the place of a body that is there in a frame."""
        if body in self._bodies:
            place = self._bodies.index(body)
        else:
            free = (place for place, seen in enumerate(self._seen) if frame - seen > FREE_AFTER_FRAMES)
            place = next(free, len(self._bodies))
            if place == MAX_PLACES:
                reason = f"more than {MAX_PLACES} bodies within {FREE_AFTER_FRAMES} frames"
                raise RawFileError(self._source, f"{reason}; its column of bodies seems to be something else", line)
            if place == len(self._bodies):
                self._bodies.append(body)
                self._seen.append(frame)
            self._bodies[place] = body
        self._seen[place] = frame
        return place

    def __len__(self) -> int:
        return len(self._bodies)


def pack(frames: Iterable[Frame], num_joints: int, source: str) -> Iterator[FrameBlock]:
    """Yields the frames as blocks. Raises RawFileError when there is none, and when times or numbers run backwards."""
    places, block, count = _Places(source), list[Frame](), 0
    last: Frame | None = None
    for frame in frames:
        _require_order(last, frame, source)
        block.append(frame)
        last = frame
        if count + len(block) > MAX_FRAMES:
            raise RawFileError(source, f"more than {MAX_FRAMES} frames; divide the recording", frame.line)
        if len(block) == BLOCK_FRAMES:
            yield _block(block, count, places, num_joints, source)
            count += len(block)
            block = []
    if block:
        yield _block(block, count, places, num_joints, source)
    elif not count:
        raise RawFileError(source, "holds no frame")


def _require_order(last: Frame | None, frame: Frame, source: str) -> None:
    if last is None:
        return
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("number", last.number, frame.number),
        ("time", last.time_s, frame.time_s),
    )
    for what, before, now in pairs:
        if before is not None and now is not None and now < before:
            raise RawFileError(
                source,
                f"the frame's {what} is {now:.10g} after {before:.10g}; frames must stand in the order of time, one "
                "recording in a file",
                frame.line,
            )


def _block(frames: list[Frame], start: int, places: _Places, num_joints: int, source: str) -> FrameBlock:
    """Packs frames into one block; `start` is the running number of the first."""
    rows = [
        (index, places.of(body, start + index, frame.line), points, frame.line)
        for index, frame in enumerate(frames)
        for body, points in frame.bodies.items()
    ]
    points = np.full((len(frames), max(1, len(places)), num_joints, 3), np.nan, np.float32)  # (t, M, J, 3)
    for index, place, row, line in rows:
        if np.isinf(row).any():
            raise RawFileError(source, "a coordinate is infinite, or too large for a float32", line)
        points[index, place] = row
    numbers = [start + index if frame.number is None else frame.number for index, frame in enumerate(frames)]
    has_times = all(frame.time_s is not None for frame in frames)
    times_s = np.array([frame.time_s for frame in frames], np.float64) if has_times else None
    return FrameBlock(points, np.array(numbers, np.int64), times_s)
