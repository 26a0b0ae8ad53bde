"""HDF5 files that say how they were made: written whole or not at all, fingerprinted, versioned.

Every HDF5 file of the project is opened through `writing` and `reading`. What a file says of itself (its *record*) is a
flat mapping of names to strings in the root attributes; this module adds `format_version` and `fingerprint`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.files import FORMAT_VERSION, check_format_version, replacing

FINGERPRINT_BLOCK_BYTES = 1 << 22


@contextmanager
def writing(path: Path, record: Mapping[str, str]) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that takes the place of `path` when the block ends well.

    `record` goes into the root attributes, with the format version and the fingerprint of the contents.
    """
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        yield file
        file.attrs.update(record)
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["fingerprint"] = fingerprint(file)


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Yield `path` opened for reading.

    Raises DataError when the file is missing, is no HDF5 file (or was cut short), NewerFormatError when it has a newer
    format version.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: not a whole HDF5 file ({error}); delete it and make it again") from error
    with file:
        check_format_version(path, file.attrs.get("format_version"))
        yield file


def read_record(path: Path) -> dict[str, str]:
    """The record of `path`, `fingerprint` and `format_version` included. Raises DataError as `reading` does."""
    with reading(path) as file:
        return {name: str(value) for name, value in file.attrs.items()}


def read_array(file: h5py.File, name: str) -> NDArray[Any]:
    """All of the dataset `name`. Raises DataError when it is missing or its checksum is wrong."""
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(f"{file.filename}: has no dataset {name}; delete it and make it again")
    try:
        return np.asarray(dataset[()])
    except OSError as error:
        raise DataError(f"{file.filename}: dataset {name} is damaged ({error}); delete it and make it again") from error


def write_strings(file: h5py.File, name: str, strings: NDArray[np.str_]) -> None:
    """Write (n,) strings as UTF-8 of variable length."""
    file.create_dataset(name, data=strings.astype(object), dtype=h5py.string_dtype())


def read_strings(file: h5py.File, name: str) -> NDArray[np.str_]:
    """(n,) strings. Raises DataError as `read_array` does."""
    return np.array([value.decode() for value in read_array(file, name)], dtype=np.str_)


def fingerprint(file: h5py.File) -> str:
    """SHA-256 of every dataset's name, dtype, shape, attributes and contents, in the order of the names.

    Read block by block, so memory does not grow with the file. The root attributes (time, command) do not count.
    """
    digest = hashlib.sha256()
    names: list[str] = []
    file.visit(names.append)
    for name in sorted(names):
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            continue
        attributes = {key: np.asarray(value).tolist() for key, value in sorted(item.attrs.items())}
        digest.update(f"{name} {item.dtype} {item.shape} {attributes}\n".encode())
        for block in _blocks(item):
            digest.update(block)
    return digest.hexdigest()


def _blocks(dataset: h5py.Dataset) -> Iterator[bytes]:
    """The contents of `dataset`, a bounded number of rows at a time."""
    text = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.ndim == 0 or dataset.size == 0:
        yield repr(dataset[()]).encode()
        return
    row_bytes = max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64)))
    step = max(1, FINGERPRINT_BLOCK_BYTES // row_bytes)
    for start in range(0, len(dataset), step):
        rows = dataset[start : start + step]
        yield "\0".join(str(value) for value in rows.ravel()).encode() if text else np.ascontiguousarray(rows).tobytes()
