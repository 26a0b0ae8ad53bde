"""Reads recordings in .npy, .npz and .mat files. Nothing in a file is run.

Letters: T frames, M bodies, J joints of the source.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, RawFileError
from data.formats.bounded import BoundedReads
from data.formats.mat_file import MAT_HEADER_BYTES, is_mat, read_mat
from data.formats.npy_file import NpyHeader, read_header
from data.layouts.layout import Layout
from data.layouts.readers import MAX_BODIES, ArrayOptions
from data.raw.zip_file import MAX_DIRECTORY_BYTES, ZIP_ERRORS
from data.recordings.recording import BLOCK_FRAMES, MAX_FRAMES, FrameBlock, Recording

NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"
MAX_FORTRAN_BYTES = 1 << 26  # an array in Fortran's order has the parts of a frame far apart, so it is read whole
MAX_NAMES = 1000


def read_array(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens an array. Raises RawFileError when it is broken, or has another shape than the layout's."""
    assert isinstance(layout.reader, ArrayOptions)
    head = stream.read(MAT_HEADER_BYTES)
    stream.seek(0)
    if head.startswith(NPY):
        array = open_npy(stream, source)
        return Recording(source, None, blocks_of(array, None, layout, source))
    if head.startswith(ZIP):
        return _open_npz(stream, source, layout)
    if is_mat(head, source):
        arrays = read_mat(stream, source)
        array = whole(arrays[_key({name: found.shape for name, found in arrays.items()}, layout, source)])
        times_s = _times(arrays.get(layout.reader.time), layout.reader, array.shape[0], source)
        return Recording(source, None, blocks_of(array, times_s, layout, source))
    raise RawFileError(source, "is neither .npy nor .npz nor a MATLAB file")


@dataclass(frozen=True)
class Rows:
    """An array whose first axis is read part by part."""

    shape: tuple[int, ...]
    parts: Iterator[NDArray[Any]]  # up to BLOCK_FRAMES rows each


def whole(array: NDArray[Any]) -> Rows:
    """Returns the parts of an array that is in memory."""
    return Rows(array.shape, (array[start : start + BLOCK_FRAMES] for start in range(0, len(array), BLOCK_FRAMES)))


def header_of(stream: BinaryIO, source: str) -> NpyHeader:
    """Reads the header of a .npy. Raises RawFileError when it is broken."""
    try:
        return read_header(stream, source)
    except DataError as error:
        raise RawFileError(source, str(error).removeprefix(f"{source}: ")) from error


def open_npy(stream: BinaryIO, source: str) -> Rows:
    """Opens a .npy. Raises RawFileError when its header is broken or its numbers are of no use; its parts do too."""
    header = header_of(stream, source)
    if header.fortran_order and len(header.shape) > 1:
        if header.size_bytes > MAX_FORTRAN_BYTES:
            reason = f"{header.size_bytes} bytes in Fortran's order; save np.ascontiguousarray(array)"
            raise RawFileError(source, reason)
        stream.seek(header.start)
        numbers = np.frombuffer(_exactly(stream, header.size_bytes, source), header.dtype)
        return whole(numbers.reshape(header.shape, order="F"))
    return Rows(header.shape, _npy_parts(stream, header, source))


def _npy_parts(stream: BinaryIO, header: NpyHeader, source: str) -> Iterator[NDArray[Any]]:
    stream.seek(header.start)
    row_bytes = header.size_bytes // header.shape[0]
    for start in range(0, header.shape[0], BLOCK_FRAMES):
        rows = min(BLOCK_FRAMES, header.shape[0] - start)
        numbers = np.frombuffer(_exactly(stream, rows * row_bytes, source), header.dtype)
        yield numbers.reshape(rows, *header.shape[1:])
    if stream.read(1):
        raise RawFileError(source, f"holds more bytes than {header.shape} takes; it is damaged")


def _exactly(stream: BinaryIO, size: int, source: str) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise RawFileError(source, "ends before the last of its numbers; the file is cut")
    return content


def _open_npz(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    options = layout.reader
    assert isinstance(options, ArrayOptions)
    try:
        archive = zipfile.ZipFile(BoundedReads(stream, MAX_DIRECTORY_BYTES))
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
        if len(entries) > MAX_NAMES:
            raise RawFileError(source, f"holds {len(entries)} arrays; a recording has a few")
        members = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        headers = dict[str, NpyHeader]()
        for name, entry in members.items():
            try:
                headers[name] = read_header(archive.open(entry), f"{source}/{name}")
            except DataError:
                continue  # text, or objects, which are not needed
        key = _key({name: header.shape for name, header in headers.items()}, layout, source)
        times_s = None
        if options.time in headers:
            times = open_npy(_member(archive, members[options.time]), f"{source}/{options.time}")
            _require_few(times.shape, source)
            numbers = np.concatenate([part.ravel() for part in times.parts])
            times_s = _times(numbers, options, headers[key].shape[0], source)
        array = open_npy(_member(archive, members[key]), f"{source}/{key}")
    except ZIP_ERRORS as error:
        raise RawFileError(source, f"not a whole .npz ({error})") from error
    return Recording(source, None, _unzipped(blocks_of(array, times_s, layout, source), source))


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    return io.BufferedReader(archive.open(entry))  # type: ignore[type-var]  # a ZipExtFile is a stream of bytes


def _unzipped(blocks: Iterator[FrameBlock], source: str) -> Iterator[FrameBlock]:
    try:
        yield from blocks
    except ZIP_ERRORS as error:
        raise RawFileError(source, f"not a whole .npz ({error})") from error


def _key(shapes: Mapping[str, tuple[int, ...]], layout: Layout, source: str) -> str:
    """Returns the name of the array of points. Raises RawFileError when none fits, or several do."""
    options = layout.reader
    assert isinstance(options, ArrayOptions)
    given = [name for name in options.keys if name in shapes]
    fitting = given[:1] or [name for name, shape in shapes.items() if bodies_in(shape, len(layout.joints))]
    if len(fitting) != 1:
        found = ", ".join(f"{name[:30]} {shape}" for name, shape in list(shapes.items())[:8]) or "no array of numbers"
        wanted = f"one array (frames, {len(layout.joints)}, 3)"
        raise RawFileError(source, f"expected {wanted} of {layout.name}, found {found}; name it in the layout's keys")
    return fitting[0]


def bodies_in(shape: tuple[int, ...], joints: int) -> int:
    """Returns the number of bodies in an array of points of this shape; 0 when it is none."""
    if not shape or not shape[0]:
        return 0
    if shape[1:] in ((joints, 3), (3 * joints,)):
        return 1
    return shape[1] if len(shape) == 4 and shape[2:] == (joints, 3) and shape[1] <= min(MAX_BODIES, shape[0]) else 0


def require_points(shape: tuple[int, ...], layout: Layout, source: str) -> int:
    """Returns the number of bodies. Raises RawFileError unless an array of this shape holds points of the layout."""
    joints = len(layout.joints)
    bodies = bodies_in(shape, joints)
    if not bodies:
        hint = ""
        if shape[-1:] == (2,):
            hint = "; its points are two-dimensional: lift them to 3-D first"
        elif len(shape) == 4 and shape[2:] == (joints, 3) and shape[1] > MAX_BODIES:
            hint = f", with at most {MAX_BODIES} bodies: leave out those that no clip is about"
        wanted = f"(frames, {joints}, 3) or (frames, bodies, {joints}, 3)"
        raise RawFileError(source, f"has shape {shape}, {layout.name} has {wanted}{hint}")
    _require_few(shape, source)
    return bodies


def _require_few(shape: tuple[int, ...], source: str) -> None:
    if (shape and shape[0] > MAX_FRAMES) or len(shape) > 4:
        raise RawFileError(source, f"has shape {shape}; a recording has at most {MAX_FRAMES} frames")


def blocks_of(array: Rows, times_s: NDArray[np.float64] | None, layout: Layout, source: str) -> Iterator[FrameBlock]:
    """Yields an array of points as blocks. Raises RawFileError, at once, when it has another shape than the layout."""
    bodies = require_points(array.shape, layout, source)
    return _checked_blocks(array, bodies, times_s, layout, source)


def _checked_blocks(
    array: Rows, bodies: int, times_s: NDArray[np.float64] | None, layout: Layout, source: str
) -> Iterator[FrameBlock]:
    start = 0
    for part in array.parts:
        with np.errstate(over="ignore"):
            points = part.reshape(len(part), bodies, len(layout.joints), 3).astype(np.float32)  # (t, M, J, 3)
        if np.isinf(points).any():
            frame = start + int(np.argmax(np.isinf(points).any(axis=(1, 2, 3))))
            raise RawFileError(source, f"frame {frame} (from 0): a coordinate is infinite, or too large for a float32")
        stop = start + len(points)
        yield FrameBlock(points, np.arange(start, stop), None if times_s is None else times_s[start:stop])
        start = stop


def _times(numbers: NDArray[Any] | None, options: ArrayOptions, frames: int, source: str) -> NDArray[np.float64] | None:
    """Returns the times (T,) in seconds. Raises RawFileError unless there is one a frame, in order."""
    if numbers is None:
        return None
    times_s: NDArray[np.float64] = numbers.ravel().astype(np.float64) * options.time_unit_s
    if len(times_s) != frames:
        raise RawFileError(source, f"{options.time} holds {len(times_s)} times for {frames} frames")
    if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise RawFileError(source, f"{options.time}: its times are not all numbers in ascending order")
    return times_s
