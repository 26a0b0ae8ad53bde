"""HDF5 files that say how they were made: written whole or not at all, fingerprinted, versioned.

Every HDF5 file of the project is opened through `writing` and `reading`, and what is in it is read by the functions of
`data.stores.h5_items`, which are reached from here. What a file says of itself (its *record*) is a flat mapping of
names to strings in the root attributes; this module adds `format_version` and `fingerprint`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.stores.files import ADVICE, FORMAT_VERSION, check_format_version, check_seal, replacing, sealed
from data.stores.h5_fingerprint import fingerprint, require_as_written
from data.stores.h5_items import (
    BROKEN,
    dataset,
    members,
    names_in,
    read_array,
    read_attribute,
    read_rows,
    read_strings,
)
from data.stores.steady_file import SteadyFile

__all__ = [
    "dataset",
    "fingerprint",
    "members",
    "read_array",
    "read_attribute",
    "read_record",
    "read_rows",
    "read_strings",
    "reading",
    "require_as_written",
    "require_written",
    "write_strings",
    "writing",
]

MAX_RECORD_BYTES = 1 << 26
METADATA_BYTES = 1 << 21
_places: dict[h5py.File, SteadyFile] = {}  # where the files go that `writing` has open


@contextmanager
def writing(path: Path, record: Mapping[str, str]) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that takes the place of `path` when the block ends well.

    `record` goes into the root attributes, with the format version and the fingerprint of the contents. Raises
    DataError when the file can't be written.
    """
    with replacing(path) as partial:
        place = SteadyFile(partial)
        try:
            with h5py.File(place, "w") as file:
                _places[file] = place
                _bound_metadata(file)
                try:
                    yield file
                    file.attrs.update(sealed(record))
                    file.attrs["format_version"] = FORMAT_VERSION
                    file.attrs["fingerprint"] = fingerprint(file)
                finally:
                    del _places[file]
        except BROKEN:
            place.require_written()  # what h5py says after a write that failed is about that
            raise
        place.close()
        place.require_written()


def _bound_metadata(file: h5py.File) -> None:
    """Keep at most 2 MB of the places of chunks in memory; HDF5 would let them grow to 32 MB with a large file."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = METADATA_BYTES
    file.id.set_mdc_config(cache)


def require_written(file: h5py.File) -> None:
    """Raise OSError when a write to `file`, as `writing` gives it, has failed: for what goes on writing for long.

    Otherwise the fault comes to light when the file is closed.
    """
    if place := _places.get(file):
        place.require_written()


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Yield `path` opened for reading; what is in it is to be read by the functions of this module.

    Raises DataError when the file is missing, is no HDF5 file (or was cut short), NewerFormatError when it has a newer
    format version.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except BROKEN as error:
        raise DataError(f"{path}: not a whole HDF5 file ({error}); {ADVICE}") from error
    with file:
        check_format_version(path, read_attribute(file, "", "format_version"))
        yield file


def read_record(path: Path) -> dict[str, str]:
    """The record of `path`, `fingerprint` and `format_version` included. Raises DataError as `reading` does."""
    record: dict[str, str] = {}
    with reading(path) as file:
        for name in names_in(file, file.attrs, "its record"):
            record[name] = str(read_attribute(file, "", name))
            if sum(map(len, record.values())) > MAX_RECORD_BYTES:
                raise DataError(f"{path}: its record is longer than {MAX_RECORD_BYTES} characters; {ADVICE}")
    check_seal(path, record)
    return record


def write_strings(file: h5py.File, name: str, strings: NDArray[np.str_]) -> None:
    """Write (n,) strings as UTF-8 of variable length."""
    file.create_dataset(name, data=strings.astype(object), dtype=h5py.string_dtype())
