"""The fast reader of raw files. It reads a whole clip at once, by operations on arrays of bytes.

`scan` reads files in which every line is in its place and every number is plain: digits, at most one dot with digits on
both sides, at most one exponent. For any other file it gives up. Then `read_lines` of data.raw.skeleton_lines reports
what is wrong, or reads the unusual but legal file. Both give the same result for a file that `scan` accepts.

Why no library reads the numbers: `float` and `numpy.loadtxt` take more than twice as long. `pandas.read_csv` is equally
fast, but it rounds body ids, fills short lines silently, and adds 40 MB to each worker process.

How it works: each byte has a class (blank, line end, digit, sign, ...). A pair of neighbouring classes tells whether a
number starts or ends between them, or that no number is written like this. Faults that no pair shows, such as two dots
in one number, show in the sequence of starts, ends, dots and exponents.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.joints import NUM_JOINTS
from data.raw.decimals import MARGIN_BYTES, parse_decimals
from data.raw.skeleton_lines import BODY_FIELDS, JOINT_FIELDS, MAX_LINE_BYTES, Rows

BODY_LINES = 2 + NUM_JOINTS
BODY_PATTERN = np.array([BODY_FIELDS, 1, *[JOINT_FIELDS] * NUM_JOINTS])  # fields in each line of a body
MAX_ID = np.iinfo(np.int64).max

_CLASSES = {"blank": b" \t\r\v\f", "line": b"\n", "digit": b"0123456789", "sign": b"+-", "dot": b".", "exp": b"eE"}
_START, _END, _DOT, _EXP, _BAD = 1, 2, 3, 4, 255
_EIGHT = np.uint8(8)
_MARGIN = b" " * MARGIN_BYTES


class _Fields(NamedTuple):
    """Positions of all numbers in a file, text[start:end], and how they divide into lines."""

    text: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]  # (lines,) index of the line's first number
    per_line: NDArray[np.int64]  # (lines,) how many numbers the line has


def _tables() -> tuple[bytes, bytes]:
    """Makes two tables: byte -> class, and class * 8 + next class -> event between the two."""
    classes = bytearray([7]) * 256
    names = list(_CLASSES)
    for number, characters in enumerate(_CLASSES.values()):
        for byte in characters:
            classes[byte] = number
    blank, line, digit, sign, dot, exp = (names.index(name) for name in names)
    pairs = bytearray([_BAD]) * 256
    for space in (blank, line):
        for other, event in ((blank, 0), (line, 0), (digit, _START), (sign, _START)):
            pairs[space * 8 + other] = event
        pairs[digit * 8 + space] = _END
    for before, after, event in (
        (sign, digit, 0), (digit, digit, 0), (digit, dot, _DOT), (dot, digit, 0),
        (digit, exp, _EXP), (exp, digit, 0), (exp, sign, 0),
    ):  # fmt: skip
        pairs[before * 8 + after] = event
    return bytes(classes), bytes(pairs)


_CLASS_OF, _EVENT_OF = _tables()
_LINE = list(_CLASSES).index("line")


def scan(content: bytes, columns: tuple[int, ...]) -> Rows | None:
    """Reads the bodies of a raw file, and of each joint these `columns` of its 12 numbers.

    Returns None when `read_lines` must read the file.
    """
    fields = _fields(content)
    if fields is None:
        return None
    try:
        return _rows(fields, columns)
    except ValueError:  # a count or an id is not an integer
        return None


def _fields(content: bytes) -> _Fields | None:
    text = b"".join((b" ", content, b"\n", _MARGIN))
    classes = np.frombuffer(text.translate(_CLASS_OF), np.uint8)
    pairs = classes[:-1] * _EIGHT + classes[1:]
    event_text = pairs.tobytes().translate(_EVENT_OF)
    if _BAD in event_text:
        return None
    events = np.frombuffer(event_text, np.uint8)
    positions = np.flatnonzero(events != 0)
    kinds = events[positions]
    inside, following = kinds[:-1] >= _DOT, kinds[1:]
    if (inside & (following >= _DOT) & ~((kinds[:-1] == _DOT) & (following == _EXP))).any():
        return None  # a second dot or exponent, or a dot after the exponent
    starts, ends = (positions[np.flatnonzero(kinds == kind)] + 1 for kind in (_START, _END))
    lines = np.flatnonzero(classes == _LINE)
    if np.diff(lines, prepend=0).max() > MAX_LINE_BYTES:
        return None
    numbers_before_end = np.searchsorted(starts, lines)
    last = int(np.searchsorted(numbers_before_end, len(starts)))  # the last line with a number
    numbers_before_end = numbers_before_end[: last + 1]
    count = np.diff(numbers_before_end, prepend=0)
    return _Fields(text, starts, ends, numbers_before_end - count, count)


def _rows(fields: _Fields, columns: tuple[int, ...]) -> Rows | None:
    """Checks that every line is in its place, and reads the requested columns."""
    count = fields.per_line
    if not len(count) or count[0] != 1:
        return None
    (frames,) = _integers(fields, np.zeros(1, np.int64))
    frame_lines = np.flatnonzero((count[1:] == 1) & (count[:-1] != BODY_FIELDS)) + 1
    if len(frame_lines) != frames:
        return None
    body_counts = _integers(fields, frame_lines)
    if min(body_counts, default=0) < 0 or 1 + frames + BODY_LINES * sum(body_counts) != len(count):
        return None
    bodies = np.array(body_counts, dtype=np.int64)  # (T,)
    before = np.cumsum(bodies) - bodies  # (T,) bodies in all earlier frames
    row_frame = np.repeat(np.arange(frames), bodies)  # (K,)
    body_lines = row_frame + 2 + BODY_LINES * np.arange(len(row_frame))
    if (frame_lines != 1 + np.arange(frames) + BODY_LINES * before).any():
        return None
    if (count[body_lines[:, None] + np.arange(BODY_LINES)] != BODY_PATTERN).any():
        return None
    if any(joints != NUM_JOINTS for joints in _integers(fields, body_lines + 1)):
        return None
    ids = _integers(fields, body_lines)
    if max((abs(body) for body in ids), default=0) > MAX_ID:
        return None
    first_joint = fields.first[body_lines] + BODY_FIELDS + 1
    index = first_joint[:, None, None] + JOINT_FIELDS * np.arange(NUM_JOINTS)[:, None] + np.array(columns)  # (K, V, F)
    values = parse_decimals(fields.text, fields.starts[index], fields.ends[index])  # (K, V, F)
    place = np.arange(len(row_frame)) - before[row_frame]
    return Rows(int(frames), row_frame, place, np.array(ids, dtype=np.int64), values)


def _integers(fields: _Fields, lines: NDArray[np.int64]) -> list[int]:
    """Returns the first number of each line as an exact integer. Raises ValueError when one is not an integer."""
    text, first = fields.text, fields.first[lines]
    return [
        int(text[start:end])
        for start, end in zip(fields.starts[first].tolist(), fields.ends[first].tolist(), strict=True)
    ]
