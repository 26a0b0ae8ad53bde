""".npy files of others, read without trust: no pickled objects, no allocation that the file can't back."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError

NUMBERS = "biuf"  # kinds of dtype: bool, integers, floating point


def load_numbers(path: Path) -> NDArray[Any]:
    """The array in a .npy file. Raises DataError when the file is missing, cut short, no .npy or holds no numbers."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # a length that the file can't hold fails here
    except (ValueError, OSError, EOFError) as error:
        if not path.stat().st_size or "mmap" in str(error):
            raise DataError(f"{path}: cut short ({path.stat().st_size} bytes); copy or download it again") from error
        raise DataError(f"{path}: not a .npy array of numbers ({error})") from error
    if not isinstance(mapped, np.ndarray):
        mapped.close()
        raise DataError(f"{path}: an archive of several arrays (.npz), where a single .npy array is wanted")
    if mapped.dtype.kind not in NUMBERS:
        raise DataError(f"{path}: holds {mapped.dtype}, where numbers are wanted")
    return np.array(mapped)


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
