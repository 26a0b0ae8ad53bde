"""Reads recordings in JSON: a list of frames, of which one at a time is held. J: joints of the source."""

import codecs
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import ijson
import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError
from data.layouts.layout import Layout
from data.layouts.readers import JsonOptions
from data.recordings.frames import Frame, pack
from data.recordings.recording import Recording

MAX_FRAME_BYTES = 1 << 20
READ_BYTES = 1 << 16
MAX_DEPTH = 32  # of a frame
MAX_SKIPPED_DEPTH = 1000
MAX_NUMBER = 1 << 53
SHOWN_KEYS = 8


def read_json(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens a JSON file. Raises RawFileError when it is not JSON, or has no list of frames where the layout says."""
    assert isinstance(layout.reader, JsonOptions)
    events = JsonEvents(stream, source)
    fps = _to_frames(events, layout.reader)
    frames = _merged(_frames(events, layout), layout.reader, source)
    return Recording(source, fps, pack(frames, len(layout.joints), source))


class JsonEvents:
    """The events of a JSON file. A frame that takes more than MAX_FRAME_BYTES is refused."""

    def __init__(self, stream: BinaryIO, source: str) -> None:
        self.source = source
        self._stream = stream
        self._read_bytes = 0  # since the last call of `forget`
        self._last = b""
        self._begun = False
        self._events: Iterator[tuple[str, Any]] = ijson.basic_parse(self, use_float=True, buf_size=READ_BYTES)

    def read(self, size: int) -> bytes:
        """Reads for ijson. Raises RawFileError when one frame has taken too much."""
        if self._read_bytes > MAX_FRAME_BYTES:
            raise RawFileError(self.source, f"a value of more than {MAX_FRAME_BYTES} bytes; a frame takes far less")
        content = self._stream.read(size)
        if content and not self._begun:
            content, self._begun = content.removeprefix(codecs.BOM_UTF8), True
        self._last = content
        self._read_bytes += len(content)
        return content

    def forget(self) -> None:
        """Begins to count the bytes of the next frame."""
        self._read_bytes = 0

    def next(self) -> tuple[str, Any]:
        """Returns the next event, ("end", None) at the end. Raises RawFileError when the file is no JSON."""
        try:
            return next(self._events, ("end", None))
        except (ijson.JSONError, ValueError, OverflowError) as error:
            first = str(error).partition("\\n")[0].partition("\n")[0].removeprefix("b'").removeprefix('b"')
            reason = first.encode("ascii", "replace").decode()[:100]
            hint = "; JSON has no NaN, write null" if b"NaN" in self._last else ""
            raise RawFileError(self.source, f"not whole JSON ({reason}){hint}") from error

    def value(self, event: str, value: Any, depth: int = 0) -> Any:
        """Returns the value that begins with an event."""
        if event not in ("start_map", "start_array"):
            return value
        if depth == MAX_DEPTH:
            raise RawFileError(self.source, f"nested deeper than {MAX_DEPTH}; a frame is not")
        if event == "start_array":
            items = []
            while (following := self.next())[0] != "end_array":
                items.append(self.value(*following, depth + 1))
            return items
        table: dict[str, Any] = {}
        while (following := self.next())[0] != "end_map":
            table[following[1]] = self.value(*self.next(), depth + 1)
        return table

    def skip(self, event: str) -> None:
        """Passes over the value that begins with an event, of any size."""
        depth = 0
        while True:
            depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
            if not depth or event == "end":
                return
            if depth > MAX_SKIPPED_DEPTH:
                raise RawFileError(self.source, f"nested deeper than {MAX_SKIPPED_DEPTH}; a recording is not")
            event, _ = self.next()
            self.forget()


def _to_frames(events: JsonEvents, options: JsonOptions) -> float | None:
    """Goes to the first frame. Returns the frames in a second, when the file tells them before."""
    event, _ = events.next()
    if event == "start_array" and "" in options.frames:
        return None
    fps, seen = None, list[str]()
    while event == "start_map":
        kind, key = events.next()
        if kind == "end_map":
            break
        seen.append(key)
        following, value = events.next()
        if key in options.frames and following == "start_array":
            return fps
        if options.fps and key == options.fps:
            fps = _number(value, options.fps, events.source)
            if not 0 < fps <= 1000:
                raise RawFileError(events.source, f"{options.fps} is {fps:.10g}; frames in a second were expected")
        else:
            events.skip(following)
        events.forget()
    wanted = " or ".join(f'a list under "{key}"' if key else "a list of frames" for key in options.frames)
    keys = ", ".join(f'"{key[:30]}"' for key in seen[:SHOWN_KEYS])
    raise RawFileError(events.source, f"expected {wanted}, found {f'keys {keys}' if seen else 'neither'}")


def _frames(events: JsonEvents, layout: Layout) -> Iterator[Frame]:
    options = layout.reader
    assert isinstance(options, JsonOptions)
    count = 0
    while (event := events.next())[0] != "end_array":
        where = f"frame {count} (from 0)"
        yield _frame(events.value(*event), layout, f"{events.source}, {where}")
        events.forget()
        count += 1
    while events.next()[0] != "end":  # what follows is not used, but a file that is cut there is not whole
        events.forget()


def _frame(record: Any, layout: Layout, source: str) -> Frame:
    """Makes a frame of its record: a body, a list of bodies, or an object that holds such a list."""
    options = layout.reader
    assert isinstance(options, JsonOptions)
    head = record if isinstance(record, dict) else {}
    listed = record if isinstance(record, list) else head.get(options.bodies) if options.bodies else None
    records = listed if isinstance(listed, list) else [record]
    bodies: dict[int | str, NDArray[np.float32]] = {}
    for place, body in enumerate(records):
        points = _points(body, layout, source)
        if points is None:
            continue
        given = body.get(options.body) if options.body else None
        name = given if isinstance(given, int | str) else place
        if name in bodies:
            raise RawFileError(source, f'body "{str(name)[:30]}" stands twice')
        bodies[name] = points
    number = _number(head[options.number], options.number, source) if options.number in head else None
    if number is not None and number != int(number):
        raise RawFileError(source, f"{options.number} is {number:.10g}; expected a whole number")
    time = _number(head[options.time], options.time, source) if options.time in head else None
    time_s = None if time is None else time * options.time_unit_s
    return Frame(bodies, None if number is None else int(number), time_s)


def _points(body: Any, layout: Layout, source: str) -> NDArray[np.float32] | None:
    """Returns the points (J, 3) of a body's record; None when it says that there is none."""
    options = layout.reader
    assert isinstance(options, JsonOptions)
    if body is None or (isinstance(body, dict) and options.present and body.get(options.present) is False):
        return None
    if not isinstance(body, dict) or options.points not in body:
        found = f"keys {', '.join(map(str, body))}"[:100] if isinstance(body, dict) else type(body).__name__
        raise RawFileError(source, f'expected a body with "{options.points}", found {found}')
    joints = body[options.points]
    if not joints:
        return None
    if not isinstance(joints, list) or len(joints) != len(layout.joints):
        found = f"{len(joints)}" if isinstance(joints, list) else type(joints).__name__
        raise RawFileError(source, f"{options.points}: {layout.name} has {len(layout.joints)} joints, found {found}")
    numbers = [_coordinates(joint, place, layout, source) for place, joint in enumerate(joints)]
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).astype(np.float32)  # None becomes NaN


def _coordinates(joint: Any, place: int, layout: Layout, source: str) -> list[float | None]:
    options = layout.reader
    assert isinstance(options, JsonOptions)
    if joint is None:
        return [None, None, None]
    found: list[Any] = []
    if isinstance(joint, dict):
        found = [joint.get(key, "") for key in options.coordinates]
        name = joint.get(options.joint_name) if options.joint_name else None
        if name is not None and name != layout.joints[place]:
            shown = str(name)[:30]
            raise RawFileError(source, f'joint {place} is "{shown}", in {layout.name} it is "{layout.joints[place]}"')
    elif isinstance(joint, list):
        found = joint[:3]
    if len(found) < 3 or any(type(number) not in (float, int, type(None)) for number in found):
        raise RawFileError(source, f"joint {place}: expected the numbers {', '.join(options.coordinates)}")
    if any(isinstance(number, int) and abs(number) > MAX_NUMBER for number in found):
        raise RawFileError(source, f"joint {place}: a coordinate is too large")
    return found


def _number(value: Any, name: str, source: str) -> float:
    if type(value) not in (float, int) or not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise RawFileError(source, f"{name}: expected a number, found {str(value)[:30]}")
    return float(value)


def _merged(frames: Iterator[Frame], options: JsonOptions, source: str) -> Iterator[Frame]:
    """Joins frames that follow each other, have one time, and hold different bodies by their ids."""
    if not options.body:
        yield from frames
        return
    last: Frame | None = None
    for frame in frames:
        same = last and last.time_s is not None and (last.time_s, last.number) == (frame.time_s, frame.number)
        if last and same and not last.bodies.keys() & frame.bodies.keys():
            last = Frame({**last.bodies, **frame.bodies}, frame.number, frame.time_s)
            continue
        if last:
            yield last
        last = frame
    if last:
        yield last
