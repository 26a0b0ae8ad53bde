"""The fingerprint of an HDF5 file: what tells one file's contents from another's, and whether they are as written."""

import hashlib
from collections.abc import Iterator

import h5py
import numpy as np

from data.errors import DataError
from data.stores.files import ADVICE
from data.stores.h5_items import MAX_NAMES, damage_of, dataset, find, read_attribute, read_strings

FINGERPRINT_BLOCK_BYTES = 1 << 22


def fingerprint(file: h5py.File) -> str:
    """SHA-256 of every dataset's name, dtype, shape, attributes and contents, in the order of the names.

    Attributes of groups count too. Read block by block, so memory does not grow with the file. The root attributes
    (time, command) do not count.
    """
    digest = hashlib.sha256()
    names: list[str] = []
    file.visit(names.append)
    for name in sorted(names):
        item = file[name]
        attributes = {key: np.asarray(value).tolist() for key, value in sorted(item.attrs.items())}
        if not isinstance(item, h5py.Dataset):
            digest.update(f"{name} {attributes}\n".encode() if attributes else b"")
            continue
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


def require_as_written(file: h5py.File) -> None:
    """Raise DataError when the contents are not those that the fingerprint was taken of.

    Not all in an HDF5 file has a checksum of its own: not types, texts, or what is stored in one piece.
    """
    names: list[str] = []
    with damage_of(file, "its table of contents"):
        file.visit(names.append)
    if len(names) > MAX_NAMES:
        raise DataError(f"{file.filename}: it has {len(names)} names, at most {MAX_NAMES} are read; {ADVICE}")
    for name in names:
        found = find(file, name)
        if isinstance(found, h5py.Dataset):  # without trust, before all of it is read
            _ = read_strings(file, name) if h5py.check_string_dtype(found.dtype) else dataset(file, name)
    with damage_of(file, "its contents"):
        if fingerprint(file) != read_attribute(file, "", "fingerprint"):
            raise DataError(
                f"{file.filename}: its contents are not those that were written, so that it is damaged or was edited; "
                f"{ADVICE}"
            )
