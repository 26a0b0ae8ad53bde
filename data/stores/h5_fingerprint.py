"""The fingerprint of an HDF5 file. It identifies the contents, and shows whether they are as they were written."""

import hashlib
from collections.abc import Iterator

import h5py
import numpy as np

from data.errors import DataError
from data.stores.files import ADVICE
from data.stores.h5_items import MAX_NAMES, damage_of, dataset, find, read_attribute, read_strings

FINGERPRINT_BLOCK_BYTES = 1 << 22


def fingerprint(file: h5py.File) -> str:
    """Returns the SHA-256 of every dataset's name, dtype, shape, attributes and contents, in the order of the names.

    It covers the attributes of groups too, but not the root attributes (time, command). Datasets are read in blocks, so
    memory does not grow with the file.
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
        dtype = "object" if h5py.check_string_dtype(item.dtype) else item.dtype  # whether of one length or not
        digest.update(f"{name} {dtype} {item.shape} {attributes}\n".encode())
        for block in _blocks(item):
            digest.update(block)
    return digest.hexdigest()


def _blocks(stored: h5py.Dataset) -> Iterator[bytes]:
    """Yields the contents of a dataset, a bounded number of rows at a time."""
    is_text = h5py.check_string_dtype(stored.dtype) is not None
    if stored.ndim == 0 or stored.size == 0:
        yield repr(stored[()].astype(object) if is_text else stored[()]).encode()
        return
    row_bytes = max(1, stored.dtype.itemsize * int(np.prod(stored.shape[1:], dtype=np.int64)))
    step = max(1, FINGERPRINT_BLOCK_BYTES // row_bytes)
    for start in range(0, len(stored), step):
        rows = stored[start : start + step]
        yield "\0".join(map(str, rows.ravel())).encode() if is_text else np.ascontiguousarray(rows).tobytes()


def require_as_written(file: h5py.File) -> None:
    """Raises DataError when the contents do not match the fingerprint.

    Checksums of datasets do not suffice: types, texts and datasets stored in one piece have none.
    """
    names: list[str] = []
    with damage_of(file, "its table of contents"):
        file.visit(names.append)
    if len(names) > MAX_NAMES:
        raise DataError(f"{file.filename}: it has {len(names)} names, at most {MAX_NAMES} are read; {ADVICE}")
    for name in names:
        item = find(file, name)
        if isinstance(item, h5py.Dataset):  # checks its type and size before all of it is read
            _ = read_strings(file, name) if h5py.check_string_dtype(item.dtype) else dataset(file, name)
    with damage_of(file, "its contents"):
        if fingerprint(file) != read_attribute(file, "", "fingerprint"):
            raise DataError(
                f"{file.filename}: its contents are not those that were written; it is damaged or was edited; {ADVICE}"
            )
