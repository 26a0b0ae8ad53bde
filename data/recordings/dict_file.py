"""Reads a pickled dict in a .npy: an array (frames, joints, 3) for each body. Plain arrays are read too.

The tools of the NTU data set's owners write these files. Nothing in a file is run.
"""

import io
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from data.errors import RawFileError
from data.formats.array_pickle import ArrayInFile, read_array_pickle
from data.formats.npy_file import HEADER_BYTES, HEADER_READERS
from data.layouts.layout import Layout
from data.layouts.readers import MAX_BODIES, ArrayOptions, DictOptions
from data.recordings.array_file import NPY, Rows, blocks_of, open_npy, read_array, require_points, whole
from data.recordings.recording import Recording

MAX_BYTES = 1 << 26


def read_dict(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens a .npy of a dict, or a plain array. Raises RawFileError when it is broken, or holds something else."""
    assert isinstance(layout.reader, DictOptions)
    head = stream.read(len(NPY))
    stream.seek(0)
    if head != NPY:
        return read_array(stream, source, layout.model_copy(update={"reader": ArrayOptions(kind="array")}))
    start = _start_of_objects(stream, source)
    array = open_npy(stream, source) if start is None else _bodies(stream, start, source, layout)
    return Recording(source, None, blocks_of(array, None, layout, source))


def _start_of_objects(stream: BinaryIO, source: str) -> int | None:
    """Returns where the pickle in a .npy begins; None when the .npy holds numbers."""
    content = io.BytesIO(stream.read(HEADER_BYTES))
    stream.seek(0)
    try:
        with warnings.catch_warnings(action="ignore"):  # NumPy warns about lengths as Python 2 wrote them
            shape, _, dtype = HEADER_READERS[npy_format.read_magic(content)](content)
    except Exception as error:  # a damaged header makes NumPy raise errors of many kinds
        raise RawFileError(source, "not a .npy array; copy or download it again") from error
    if dtype.kind != "O":
        return None
    if shape != ():
        raise RawFileError(source, f"holds {shape} objects; one dict of bodies was expected")
    return content.tell()


def _bodies(stream: BinaryIO, start: int, source: str, layout: Layout) -> Rows:
    """Returns the points (T, M, J, 3) of the dict that is pickled from `start` on."""
    options = layout.reader
    assert isinstance(options, DictOptions)
    stream.seek(start)
    content = io.BytesIO(stream.read(MAX_BYTES + 1))
    if content.seek(0, io.SEEK_END) > MAX_BYTES:
        raise RawFileError(source, f"more than {MAX_BYTES} bytes; divide the recording")
    content.seek(0)
    holder = read_array_pickle(content, source)
    table = holder.content[0] if isinstance(holder, ArrayInFile) and isinstance(holder.content, list) else holder
    if not isinstance(table, dict):
        raise RawFileError(source, "holds no dict of bodies")
    bodies: list[NDArray[Any]] = []
    while isinstance(found := table.get(options.body_key.format(body=len(bodies))), ArrayInFile):
        points = found.load(content, source)
        if bodies and points.shape != bodies[0].shape:
            raise RawFileError(source, f"its bodies have shapes {bodies[0].shape} and {points.shape}")
        bodies.append(points)
        if len(bodies) > MAX_BODIES:
            raise RawFileError(source, f"more than {MAX_BODIES} bodies")
    if not bodies:
        keys = ", ".join(str(key)[:30] for key in list(table)[:8])
        raise RawFileError(source, f'no array "{options.body_key.format(body=0)}"; found {keys or "an empty dict"}')
    require_points(bodies[0].shape, layout, source)
    return whole(np.stack(bodies, axis=1))  # (T, M, J, 3)
