""".npy files from others, read without trust: no pickled objects, and no memory that the file itself does not fill.

NumPy parses the header. The numbers are read here, after the size that the header claims was checked against the file:
`numpy.load` allocates whatever the header asks for.
"""

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from data.errors import DataError

HEADER_BYTES = 1 << 14  # NumPy accepts headers of up to 10 000 characters
# Versions 2 and 3 differ in the encoding of field names alone, which arrays of numbers do not have.
HEADER_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,
}
NUMBER_KINDS = "biuf"  # bool, integers, floating point


@dataclass(frozen=True)
class NpyHeader:
    """What a .npy file says about its array, and where the numbers start."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    start: int  # offset of the first number, in bytes

    @property
    def size_bytes(self) -> int:
        """The size of all numbers together."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(stream: IO[bytes], source: str) -> NpyHeader:
    """Reads the header of a .npy at the start of `stream`.

    Raises DataError naming `source` when it is not a .npy header, or not one of an array of numbers.
    """
    content = io.BytesIO(stream.read(HEADER_BYTES))  # bounded: NumPy reads a header as long as it claims to be
    try:
        with warnings.catch_warnings(action="ignore"):  # NumPy warns about lengths as Python 2 wrote them, 56880L
            shape, fortran_order, dtype = HEADER_READERS[npy_format.read_magic(content)](content)
        shape = np.broadcast_to(np.empty((), dtype), shape).shape  # raises when no array can have this shape
    except Exception as error:  # a damaged header makes NumPy raise errors of many kinds
        raise DataError(f"{source}: not a .npy array; copy or download it again") from error
    if dtype.kind not in NUMBER_KINDS:
        raise DataError(f"{source}: holds {str(dtype)[:40]}; expected numbers")
    return NpyHeader(shape, dtype, fortran_order, content.tell())


def load_numbers(path: Path) -> NDArray[Any]:
    """Loads the array in a .npy file.

    Raises DataError when the file is missing or cut short, is not a .npy file, or does not hold numbers.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as stream:
        header = read_header(stream, str(path))
        num_bytes = path.stat().st_size - header.start
        if num_bytes != header.size_bytes:
            raise DataError(
                f"{path}: {header.shape} takes {header.size_bytes} bytes, the file has {num_bytes}; it is damaged"
            )
        stream.seek(header.start)
        numbers = np.frombuffer(stream.read(), header.dtype)
    return numbers.reshape(header.shape, order="F" if header.fortran_order else "C")


def load_matrix(path: Path) -> NDArray[np.float32]:
    """Loads a finite matrix (n, D) as float32. Raises DataError as `load_numbers` does, and for any other array."""
    array = load_numbers(path)
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"{path}: has shape {array.shape}; expected (rows, columns)")
    with np.errstate(over="ignore"):
        matrix = array.astype(np.float32)  # (n, D)
    bad_rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad_rows):
        raise DataError(f"{path}: {len(bad_rows)} rows hold NaN or infinite numbers, the first is row {bad_rows[0]}")
    return matrix


def load_labels(path: Path) -> NDArray[np.int64]:
    """Loads class indices (n,) from 0. Raises DataError as `load_numbers` does, and for any other array."""
    array = load_numbers(path)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]  # (n,)
    if array.ndim != 1 or not len(array):
        raise DataError(f"{path}: has shape {array.shape}; expected one class index for each clip, (n,)")
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.int64)
    bad_rows = np.flatnonzero((labels != array) | (labels < 0))
    if len(bad_rows):
        row = bad_rows[0]
        raise DataError(f"{path}: row {row} is {array[row]}; expected a class index (0, 1, 2, ...)")
    return labels
