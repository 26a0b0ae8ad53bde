""".npy files of others, read without trust: no pickled objects, no allocation that the file can't back.

NumPy's own reader mends old headers with Python's tokenizer, which raises and warns in many ways when a header is
damaged; the one here knows just what arrays of numbers need.
"""

import ast
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, by format version
MAX_HEADER_BYTES = 10_000
NUMBERS = re.compile(r"[<>=|][biuf]\d{1,2}")  # bool, integers, floating point, of either byte order


@dataclass(frozen=True)
class NpyHeader:
    """What stands before the numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    @property
    def size_bytes(self) -> int:
        """Of the numbers behind it."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(stream: IO[bytes], source: str) -> NpyHeader:
    """The header of a .npy, from the start of `stream`. Raises DataError naming `source` when it is none of numbers."""
    start = stream.read(len(MAGIC) + 2)
    width = LENGTH_BYTES.get(start[-2], 0) if start[: len(MAGIC)] == MAGIC and len(start) == len(MAGIC) + 2 else 0
    length = int.from_bytes(stream.read(width), "little")
    text = stream.read(min(length, MAX_HEADER_BYTES)).decode("utf-8", "replace")
    try:
        header = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.strip()))  # Python 2 wrote lengths as 56880L
        described, fortran_order, shape = (header[key] for key in ("descr", "fortran_order", "shape"))
        sound = isinstance(shape, tuple) and len(shape) <= 32 and all(type(side) is int and side >= 0 for side in shape)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        sound = False
    if not sound or not isinstance(fortran_order, bool):
        raise DataError(f"{source}: not a .npy array; copy or download it again")
    try:
        dtype = np.dtype(described) if NUMBERS.fullmatch(str(described)) else None
    except TypeError:
        dtype = None
    if dtype is None:
        raise DataError(f"{source}: holds {str(described)[:40]}, where numbers are wanted")
    return NpyHeader(shape, dtype, fortran_order)


def load_numbers(path: Path) -> NDArray[Any]:
    """The array in a .npy file. Raises DataError when the file is missing, cut short, no .npy or holds no numbers."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as stream:
        header = read_header(stream, str(path))
        found = path.stat().st_size - stream.tell()
        if found != header.size_bytes:
            raise DataError(
                f"{path}: {header.shape} takes {header.size_bytes} bytes, the file has {found}; it is damaged"
            )
        numbers = np.frombuffer(stream.read(), header.dtype)
    return numbers.reshape(header.shape, order="F" if header.fortran_order else "C")


def load_matrix(path: Path) -> NDArray[np.float32]:
    """A finite (n, D) array as float32. Raises DataError as `load_numbers` does, and when it is anything else."""
    array = load_numbers(path)
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"{path}: has shape {array.shape}, where (rows, columns) is wanted")
    with np.errstate(over="ignore"):
        matrix = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise DataError(f"{path}: {len(bad)} rows hold NaN or infinite numbers, the first is row {bad[0]}")
    return matrix


def load_labels(path: Path) -> NDArray[np.int64]:
    """(n,) class indices from 0. Raises DataError as `load_numbers` does, and when it is anything else."""
    array = load_numbers(path)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        raise DataError(f"{path}: has shape {array.shape}, where one class index a clip, (n,), is wanted")
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.int64)
    bad = np.flatnonzero((labels != array) | (labels < 0))
    if len(bad):
        raise DataError(f"{path}: row {bad[0]} is {array[bad[0]]}, where a class index (0, 1, 2, ...) is wanted")
    return labels


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
