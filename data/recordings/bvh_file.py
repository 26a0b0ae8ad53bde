"""Reads BVH files: a hierarchy of joints with offsets, then the rotations of each frame.

    HIERARCHY
    ROOT Hips { OFFSET x y z  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
        JOINT Chest { OFFSET x y z  CHANNELS 3 Zrotation Xrotation Yrotation  End Site { OFFSET x y z } } }
    MOTION
    Frames: 2
    Frame Time: 0.033333
    a number for each channel    (a line for each frame; degrees)

Forward kinematics, as https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/BVH.html says: a joint's rotation
is its parent's, then its own, in the order of its channels. Positions in channels stand in place of the offset.

Letters: t frames of a block, N joints of the file, J joints of the layout.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.formats.text_lines import Line, Table, number_tables, read_lines
from data.layouts.layout import Layout
from data.layouts.readers import BvhOptions
from data.recordings.recording import MAX_FRAMES, FrameBlock, Recording

MAX_JOINTS = 1000
MAX_DEPTH = 100
CHANNELS = {f"{axis}{kind}": (kind, "XYZ".index(axis)) for axis in "XYZ" for kind in ("position", "rotation")}
SECONDS = (1e-4, 10)  # that a frame can take
END = ".end"


@dataclass
class _Joint:
    """A joint of the file, or an end site."""

    name: str
    parent: int  # -1 for the root
    line: int
    is_end: bool = False
    offset: tuple[float, ...] = ()
    channels: list[tuple[str, int]] = field(default_factory=list)  # kind, axis
    first_channel: int = 0


def read_bvh(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens a BVH file. Raises RawFileError when its hierarchy is broken, or lacks a joint that the layout needs."""
    assert isinstance(layout.reader, BvhOptions)
    lines = read_lines(stream, source)
    joints = _Hierarchy(lines, source).read()
    used = [_find(names, joint, joints, source, layout) for joint, names in _wanted(layout)]
    frames, seconds = _motion(lines, source)
    return Recording(source, 1 / seconds, _blocks(lines, joints, used, frames, source))


def _wanted(layout: Layout) -> Iterator[tuple[str, Sequence[str]]]:
    assert isinstance(layout.reader, BvhOptions)
    for joint in layout.joints:
        yield joint, layout.reader.names.get(joint, (joint,))


def plain_name(name: str) -> str:
    """Returns a joint's name without what stands before a colon, in small letters."""
    return name.rpartition(":")[2].lower()


def _find(names: Sequence[str], joint: str, joints: list[_Joint], source: str, layout: Layout) -> int:
    """Returns the place of the joint that has the first of the names that is there."""
    for name in names:
        places = [place for place, found in enumerate(joints) if plain_name(found.name) == name.lower()]
        if len(places) > 1:
            raise RawFileError(source, f'two joints are called "{name}"', joints[places[1]].line)
        if places:
            return places[0]
    shown = ", ".join(found.name for found in joints if not found.is_end)[:300]
    raise RawFileError(source, f"no joint {' or '.join(names)}, which {layout.name} needs as {joint}; found {shown}")


class _Hierarchy:
    """Reads the lines up to MOTION."""

    def __init__(self, lines: Iterator[Line], source: str) -> None:
        self._lines = lines
        self._source = source
        self._joints: list[_Joint] = []
        self._open: list[int] = []  # the joints whose braces are open
        self._named = False  # a joint was named, its brace has not come
        self._num_channels = 0

    def read(self) -> list[_Joint]:
        """Returns the joints, each after its parent."""
        if next(self._lines, Line(1, "")).text.split() != ["HIERARCHY"]:
            raise RawFileError(self._source, 'expected "HIERARCHY", with which a BVH file begins', 1)
        for line in self._lines:
            words = line.text.replace("{", " { ").replace("}", " } ").split()
            if words == ["MOTION"]:
                if self._open or self._named or not self._joints:
                    raise RawFileError(self._source, "MOTION stands within the hierarchy; a } is missing", line.number)
                return self._joints
            while words:
                words = self._step(words, line)
        raise RawFileError(self._source, "ends within its hierarchy; the file is cut")

    def _step(self, words: list[str], line: Line) -> list[str]:
        """Takes the first words of a line; returns the rest."""
        word = words[0]
        if word in ("ROOT", "JOINT") or words[:2] == ["End", "Site"]:
            stop = words.index("{") if "{" in words else len(words)
            self._name(word, " ".join(words[1:stop]), line)
            return words[stop:]
        if word == "{" and self._named:
            self._open.append(len(self._joints) - 1)
            self._named = False
            return words[1:]
        if word == "}" and self._open and not self._named:
            if not self._joints[self._open[-1]].offset:
                raise self._error("a joint ends without an OFFSET", line)
            self._open.pop()
            return words[1:]
        if word in ("OFFSET", "CHANNELS") and self._open and not self._named:
            return self._offset(words, line) if word == "OFFSET" else self._channels(words, line)
        raise self._error(f'"{word[:30]}" does not fit here', line)

    def _name(self, word: str, name: str, line: Line) -> None:
        if word == "ROOT" and self._joints:
            raise self._error("a second ROOT; one person in a file is read", line)
        if self._named or (word != "ROOT" and not self._open):
            raise self._error(f"{word} stands where no joint is open", line)
        if len(self._joints) == MAX_JOINTS or len(self._open) == MAX_DEPTH:
            raise self._error(f"more than {MAX_JOINTS} joints, or {MAX_DEPTH} within each other", line)
        parent = self._open[-1] if self._open else -1
        if word == "End":
            name = self._joints[parent].name + END
        elif not name:
            raise self._error(f"{word} without a name", line)
        self._joints.append(_Joint(name, parent, line.number, word == "End"))
        self._named = True

    def _offset(self, words: list[str], line: Line) -> list[str]:
        joint = self._joints[self._open[-1]]
        numbers = tuple(self._number(word, line) for word in words[1:4])
        if len(numbers) != 3 or joint.offset:
            raise self._error("expected one OFFSET of 3 numbers for a joint", line)
        joint.offset = numbers
        return words[4:]

    def _channels(self, words: list[str], line: Line) -> list[str]:
        joint = self._joints[self._open[-1]]
        count = int(words[1]) if len(words) > 1 and words[1] in tuple("0123456") else -1
        names = words[2 : 2 + count]
        if count < 0 or len(names) != count or not set(names) <= set(CHANNELS) or len(set(names)) < count:
            raise self._error("expected CHANNELS, how many (up to 6), and their names, as Xposition or Zrotation", line)
        if joint.channels or joint.is_end:
            raise self._error("CHANNELS stand twice, or at an End Site", line)
        joint.channels = [CHANNELS[name] for name in names]
        joint.first_channel = self._num_channels
        self._num_channels += count
        return words[2 + count :]

    def _number(self, word: str, line: Line) -> float:
        return _number(word, self._source, line)

    def _error(self, reason: str, line: Line) -> RawFileError:
        return RawFileError(self._source, reason, line.number)


def _number(word: str, source: str, line: Line) -> float:
    try:
        number = float(word)
    except ValueError:
        number = np.nan
    if not abs(number) < 1e9:
        raise RawFileError(source, f'expected a number, found "{word[:30]}"', line.number)
    return number


def _motion(lines: Iterator[Line], source: str) -> tuple[int, float]:
    """Returns the number of frames and the seconds that each takes."""
    found = []
    for title in ("Frames:", "Frame Time:"):
        line = next(lines, None)
        if line is None or not line.text.startswith(title):
            raise RawFileError(source, f'expected "{title}" after MOTION', line.number if line else None)
        found.append((_number(line.text.removeprefix(title).strip(), source, line), line))
    (frames, line), (seconds, time_line) = found
    if frames != int(frames) or not 0 < frames <= MAX_FRAMES:
        raise RawFileError(source, f"{frames:.10g} frames; expected 1 to {MAX_FRAMES}", line.number)
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise RawFileError(source, f"a frame takes {seconds:.10g} seconds; expected a time as 0.033", time_line.number)
    return int(frames), seconds


def _blocks(
    lines: Iterator[Line], joints: list[_Joint], used: list[int], frames: int, source: str
) -> Iterator[FrameBlock]:
    names = [f"{joint.name} channel {place + 1}" for joint in joints for place in range(len(joint.channels))]
    start = 0
    for table in number_tables(lines, names, range(len(names)), None, source):
        _require(np.isfinite(table.values), "a number is missing or infinite", table, source)
        stop = start + len(table.values)
        if stop > frames:
            raise RawFileError(source, f"more lines than its {frames} frames", int(table.lines[frames - start]))
        with np.errstate(over="ignore"):
            points = positions(joints, table.values)[:, None, used].astype(np.float32)  # (t, 1, J, 3)
        _require(np.isfinite(points).reshape(len(points), -1), "a joint is too far away for a float32", table, source)
        yield FrameBlock(points, np.arange(start, stop), None)
        start = stop
    if start < frames:
        raise RawFileError(source, f"{start} of {frames} frames are there; the file is cut")


def _require(good: NDArray[np.bool_], reason: str, table: Table, source: str) -> None:
    """Raises RawFileError, with the line, when not all (lines, ...) are good."""
    lines = good.all(axis=1)  # (lines,)
    if not lines.all():
        raise RawFileError(source, reason, int(table.lines[int(np.argmin(lines))]))


def positions(joints: list[_Joint], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns where all joints are (t, N, 3), given their channels (t, channels)."""
    places: list[NDArray[np.float64]] = []  # (t, 3) for each joint
    turns: list[NDArray[np.float64]] = []  # (t, 3, 3)
    for joint in joints:
        local = np.tile(np.array(joint.offset), (len(values), 1))  # (t, 3)
        turn = np.tile(np.eye(3), (len(values), 1, 1))
        for column, (kind, axis) in enumerate(joint.channels, joint.first_channel):
            if kind == "position":
                local[:, axis] = values[:, column]
            else:
                turn = turn @ _rotation(axis, np.radians(values[:, column]))
        if joint.parent >= 0:
            local = places[joint.parent] + np.einsum("tij,tj->ti", turns[joint.parent], local)
            turn = turns[joint.parent] @ turn
        places.append(local)
        turns.append(turn)
    return np.stack(places, axis=1)  # (t, N, 3)


def _rotation(axis: int, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the rotations (t, 3, 3) about an axis by angles (t,) in radians."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angles), 3, 3))
    turn[:, axis, axis] = 1
    turn[:, one, one] = turn[:, two, two] = np.cos(angles)
    turn[:, two, one] = np.sin(angles)
    turn[:, one, two] = -np.sin(angles)
    return turn
