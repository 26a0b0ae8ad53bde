"""Reads recordings that are lines of numbers: with a header that names the columns, or in a fixed order.

Letters: n lines, B bodies in a line, J joints.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.formats.text_lines import Line, Table, delimiter_of, number_tables, read_lines, split
from data.layouts.layout import Layout
from data.layouts.readers import TextOptions
from data.recordings.frames import Frame, pack
from data.recordings.recording import Recording

MAX_NUMBER = 1 << 53
BODY_ID = re.compile(r"\d{1,20}", re.ASCII)
SHOWN_COLUMNS, SHOWN_CHARACTERS = 4, 30
PLAIN = "\n"  # no name of a column holds it


def read_text(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens a text. Raises RawFileError when its first line does not fit the layout."""
    assert isinstance(layout.reader, TextOptions)
    lines = read_lines(stream, source)
    first = next(lines, None)
    if first is None:
        raise RawFileError(source, "holds no line of text")
    with_header = layout.reader.header
    frames = _named(first, lines, source, layout) if with_header else _placed(chain([first], lines), source, layout)
    return Recording(source, None, pack(frames, len(layout.joints), source))


def _named(header: Line, lines: Iterator[Line], source: str, layout: Layout) -> Iterator[Frame]:
    """Finds the columns of a file with a header, and returns its frames."""
    options = layout.reader
    assert isinstance(options, TextOptions)
    delimiter = delimiter_of(header.text)
    names = split(header.text, delimiter)
    places = _places(names)
    wanted = [options.column.format(joint=joint, axis=axis) for joint in layout.joints for axis in "xyz"]
    if missing := [name for name in wanted if not _find(name, places)]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        reason = f'no column "{missing[0]}"{more}; {layout.name} needs it, and the first columns are {_shown(names)}'
        raise RawFileError(source, reason, header.number)
    extra = (options.number_column, options.time_column, options.body_column)
    number, time, body = (name if _find(name, places) else "" for name in extra)
    for name in (*wanted, *filter(None, (number, time, body))):
        if len(found := _find(name, places)) > 1:
            first, second = (names[place] for place in found[:2])
            alike = f'"{first}" and "{second}" may both be the column "{name}"; rename one'
            reason = f'two columns are called "{first}"' if first == second else alike
            raise RawFileError(source, reason, header.number)
    if body and not number and not time:
        raise RawFileError(
            source,
            f'a column "{body}", but neither "{options.number_column}" nor "{options.time_column}", which tell the '
            "bodies of one frame from those of the next; a layout of your own may call them otherwise",
            header.number,
        )
    used = [_find(name, places)[0] for name in (*wanted, number, time, body) if name]
    tables = number_tables(lines, names, used, delimiter, source)
    id_field = _Field(used[-1], delimiter) if body else None
    return _named_frames(tables, (number, time, body), id_field, source, layout)


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    """Returns where the columns stand: by their names, and after PLAIN by their letters and digits in small letters."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        for key in (name, PLAIN + _plain(name)):
            places.setdefault(key, []).append(place)
    return places


def _find(name: str, places: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Returns the places of the columns that are called `name`; without one, of those that differ in signs alone."""
    return (places.get(name) or places.get(PLAIN + _plain(name), ())) if name else ()


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _shown(names: Sequence[str]) -> str:
    return ", ".join(name[:SHOWN_CHARACTERS] for name in names[:SHOWN_COLUMNS])


def _named_frames(
    tables: Iterator[Table], present: tuple[str, str, str], id_field: "_Field | None", source: str, layout: Layout
) -> Iterator[Frame]:
    """Yields the frames of lines that hold one body each, then the frame's number, time and body where present."""
    options = layout.reader
    assert isinstance(options, TextOptions)
    open_frame: Frame | None = None
    for table in tables:
        points = _float32(table.values[:, : 3 * len(layout.joints)]).reshape(-1, len(layout.joints), 3)  # (n, J, 3)
        rest = iter(table.values[:, 3 * len(layout.joints) :].T)
        numbers, times = (
            _column(next(rest), name, whole, table, source) if name else [0.0] * len(points)
            for name, whole in zip(present[:2], (True, False), strict=True)
        )
        bodies = _ids(next(rest), id_field, present[2], table, source) if id_field else [0] * len(points)
        for row, line in enumerate(table.lines.tolist()):
            time_s = times[row] * options.time_unit_s if present[1] else None
            number = int(numbers[row]) if present[0] else None
            body = bodies[row]
            frame = Frame({body: points[row]}, number, time_s, line)
            same = open_frame and present[2] and (open_frame.number, open_frame.time_s) == (number, time_s)
            if not open_frame or not same:
                if open_frame:
                    yield open_frame
                open_frame = frame
            elif body in open_frame.bodies:
                raise RawFileError(source, f"body {body} stands twice in one frame", line)
            else:
                open_frame = Frame({**open_frame.bodies, **frame.bodies}, number, time_s, open_frame.line)
    if open_frame:
        yield open_frame


@dataclass(frozen=True)
class _Field:
    """Where a field stands in a line."""

    place: int
    delimiter: str | None

    def of(self, line: str) -> str:
        return split(line, self.delimiter)[self.place]


def _ids(values: NDArray[np.float64], field: _Field, name: str, table: Table, source: str) -> list[int]:
    """Returns a column of bodies. Kinect's numbers of bodies are larger than a float64 holds exactly."""
    if (values >= MAX_NUMBER).any() and all(BODY_ID.fullmatch(field.of(line)) for line in table.texts):
        return [int(field.of(line)) for line in table.texts]
    return [int(value) for value in _column(values, name, True, table, source)]


def _column(values: NDArray[np.float64], name: str, whole: bool, table: Table, source: str) -> list[float]:
    """Returns a column of numbers, times or bodies. Raises RawFileError where one is missing or not a whole number."""
    good = np.isfinite(values) & (np.abs(values) < MAX_NUMBER)
    if whole:
        good &= np.floor(values) == values
    if not good.all():
        row = int(np.argmin(good))
        what = "a whole number" if whole else "a number"
        raise RawFileError(source, f"{name}: expected {what}, found {values[row]:.10g}", int(table.lines[row]))
    numbers: list[float] = values.tolist()
    return numbers


def _placed(lines: Iterator[Line], source: str, layout: Layout) -> Iterator[Frame]:
    """Yields the frames of a file without a header, in which the place of a number tells what it is."""
    options = layout.reader
    assert isinstance(options, TextOptions)
    first = next(lines)
    joints_a_line = 1 if options.one_joint_a_line else options.bodies * len(layout.joints)
    names = ([options.first] if options.first else []) + [
        f"field {number + 1}" for number in range(joints_a_line * options.joint_fields)
    ]
    start = len(names) - joints_a_line * options.joint_fields
    delimiter = delimiter_of(first.text)
    tables = number_tables(chain([first], lines), names, range(len(names)), delimiter, source)
    rows = _rows(tables, start, options, source)
    if options.one_joint_a_line:
        rows = _joined(rows, options.bodies * len(layout.joints), source)
    for lead, points, line in rows:
        number = int(lead) if options.first == "number" else None
        time_s = lead * options.time_unit_s if options.first == "time" else None
        bodies = points.reshape(options.bodies, len(layout.joints), 3)  # (B, J, 3)
        there: dict[int | str, NDArray[np.float32]] = {
            body: row
            for body, row in enumerate(bodies)
            if not layout.zero_is_absent or options.bodies == 1 or row.any()
        }
        yield Frame(there, number, time_s, line)


_Row = tuple[float, NDArray[np.float32], int]  # the first field, points (joints of the line, 3), the line's number


def _rows(tables: Iterator[Table], start: int, options: TextOptions, source: str) -> Iterator[_Row]:
    for table in tables:
        points = _float32(table.values[:, start:]).reshape(len(table.values), -1, options.joint_fields)[..., :3]
        leads = [0.0] * len(points)
        if start:
            leads = _column(table.values[:, 0], options.first, options.first == "number", table, source)
        yield from zip(leads, points, table.lines.tolist(), strict=True)


def _joined(rows: Iterator[_Row], joints: int, source: str) -> Iterator[_Row]:
    """Joins the lines of one joint each to frames."""
    frame: list[_Row] = []
    for row in rows:
        frame.append(row)
        if len(frame) == joints:
            yield frame[0][0], np.concatenate([points for _, points, _ in frame]), frame[0][2]
            frame = []
    if frame:
        reason = f"the last frame has {len(frame)} of {joints} joints; the file is cut, or of another layout"
        raise RawFileError(source, reason, frame[0][2])


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
