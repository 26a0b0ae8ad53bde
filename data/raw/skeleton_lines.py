"""The line-by-line reader of raw files. It is slow, and reports the first fault with its line and reason.

It defines which files are accepted. Counts and ids are integers, and coordinates are finite. Every other field is a
number and may be NaN or infinite: official files hold such values where a joint has no position in the image.
"""

import re
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.joints import NUM_JOINTS

BODY_FIELDS = 10
JOINT_FIELDS = 12
COORDINATES = (0, 1, 2)
MAX_LINE_BYTES = 4096
SHOWN_CHARACTERS = 40

_INTEGER = re.compile(rb"[+-]?[0-9]+")
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(rb"[+-]?(nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Rows:
    """The bodies of a clip as K rows: one for each body of each frame, in the order of the file."""

    frames: int
    frame: NDArray[np.int64]  # (K,) the row's frame, from 0
    place: NDArray[np.int64]  # (K,) the row's place in the frame's list of bodies, from 0
    body_id: NDArray[np.int64]  # (K,)
    values: NDArray[np.float64]  # (K, V, F) the requested columns of each joint


class _Lines:
    """The lines of a file, read one after another. `number` is that of the last line read, from 1."""

    def __init__(self, content: bytes, source: str) -> None:
        self._content, self._source = content.rstrip(), source
        self._next = 0
        self.number = 0
        if not self._content:
            raise RawFileError(source, "the file is empty")

    def fields(self, expected: str, number: int) -> list[bytes]:
        """Reads the next line, which must have `number` fields. `expected` names the line in messages."""
        if self._next > len(self._content):
            raise self.error(f"the file ends here; expected {expected}")
        end = self._content.find(b"\n", self._next)
        end = len(self._content) if end < 0 else end
        self.number += 1
        if end - self._next > MAX_LINE_BYTES:
            raise self.error(f"expected {expected}, found a line of {end - self._next} bytes")
        fields = self._content[self._next : end].split()
        self._next = end + 1
        if len(fields) != number:
            raise self.error(f"expected {expected} ({_fields(number)}), found {_fields(len(fields))}")
        return fields

    def count(self, expected: str) -> int:
        """Reads a line that holds one count."""
        (field,) = self.fields(expected, 1)
        if not _INTEGER.fullmatch(field) or int(field) < 0:
            raise self.error(f"expected {expected}, found {_shown(field)}")
        if int(field) > len(self._content):
            raise self.error(f"{expected} is {_shown(field)}, but the file has {len(self._content)} bytes")
        return int(field)

    def end(self) -> None:
        """Checks that no line follows."""
        if self._next <= len(self._content):
            self.number += 1
            raise self.error("text follows the last frame")

    def error(self, reason: str) -> RawFileError:
        """Makes the error to raise about the last line read."""
        return RawFileError(self._source, reason, self.number)


def read_lines(content: bytes, source: str, columns: tuple[int, ...]) -> Rows:
    """Reads the bodies of a raw file, and of each joint these `columns` of its 12 numbers.

    Raises RawFileError for the first fault.
    """
    lines = _Lines(content, source)
    frames = lines.count("the number of frames")
    frame_of, place_of, ids, values = array("q"), array("q"), array("q"), array("d")
    for frame in range(frames):
        for place in range(lines.count(f"the number of bodies in frame {frame + 1} of {frames}")):
            frame_of.append(frame)
            place_of.append(place)
            ids.append(_body_id(lines))
            joints = lines.count("the number of joints")
            if joints != NUM_JOINTS:
                raise lines.error(f"{joints} joints; a body has {NUM_JOINTS}")
            for joint in range(NUM_JOINTS):
                values.extend(_joint(lines, joint, columns))
    lines.end()
    shaped = np.array(values).reshape(-1, NUM_JOINTS, len(columns))  # (K, V, F)
    return Rows(frames, np.array(frame_of), np.array(place_of), np.array(ids), shaped)


def _body_id(lines: _Lines) -> int:
    fields = lines.fields("a body", BODY_FIELDS)
    if not _INTEGER.fullmatch(fields[0]) or abs(int(fields[0])) > np.iinfo(np.int64).max:
        raise lines.error(f"expected a body's id, found {_shown(fields[0])}")
    for field in fields[1:]:
        _check_number(lines, field)
    return int(fields[0])


def _joint(lines: _Lines, joint: int, columns: tuple[int, ...]) -> list[float]:
    fields = lines.fields(f"joint {joint + 1} of {NUM_JOINTS}", JOINT_FIELDS)
    for column, field in enumerate(fields):
        _check_number(lines, field, finite=column in COORDINATES)
    return [float(fields[column]) for column in columns]


def _check_number(lines: _Lines, field: bytes, finite: bool = False) -> None:
    if not _NUMBER.fullmatch(field) and (finite or not _NOT_FINITE.fullmatch(field)):
        raise lines.error(f"expected {'a finite' if finite else 'a'} number, found {_shown(field)}")


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"


def _shown(field: bytes) -> str:
    """A field of the file in quotes, shortened and in ASCII, for a message."""
    text = field[:SHOWN_CHARACTERS].decode("ascii", "backslashreplace")
    return f'"{text}{"…" if len(field) > SHOWN_CHARACTERS else ""}"'
