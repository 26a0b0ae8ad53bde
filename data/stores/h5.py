"""HDF5 files with a record of how they were made. They are written whole or not at all, and carry a fingerprint.

Every HDF5 file of the project is opened through `writing` and `reading`. Its contents are read by the functions of
`data.stores.h5_items`, which are available here too. A file's *record* is a mapping of names to strings in its root
attributes. This module adds `format_version` and `fingerprint` to it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.stores.files import (
    ADVICE,
    FORMAT_VERSION,
    check_format_version,
    check_seal,
    replacing,
    require_readable,
    sealed,
)
from data.stores.h5_fingerprint import fingerprint, require_as_written
from data.stores.h5_items import (
    HDF5_ERRORS,
    dataset,
    group_names,
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
    "group_names",
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

MAX_RECORD_CHARACTERS = 1 << 26
METADATA_CACHE_BYTES = 1 << 21
MAX_FIXED_ATTRIBUTE_BYTES = 60_000  # HDF5 refuses attributes of more than 64 kB, but for strings of variable length
_open_files: dict[h5py.File, SteadyFile] = {}  # every file that `writing` has open, and what it writes into


@contextmanager
def writing(path: Path, record: Mapping[str, str]) -> Iterator[h5py.File]:
    """Yields a new HDF5 file. When the block ends without an error, that file replaces `path`.

    `record` is written to the root attributes, with the format version and the fingerprint of the contents, when the
    block ends, so that counts can be added to it meanwhile. Raises DataError when the file can't be written.
    """
    with replacing(path) as partial:
        target = SteadyFile(partial)
        try:
            with h5py.File(target, "w") as file:
                _open_files[file] = target
                _limit_metadata_cache(file)
                try:
                    yield file
                    for key, text in sealed(record).items():
                        _write_text_attribute(file, key, text)
                    file.attrs["format_version"] = FORMAT_VERSION
                    _write_text_attribute(file, "fingerprint", fingerprint(file))
                finally:
                    del _open_files[file]
        except HDF5_ERRORS:
            target.require_written()  # an error of h5py after a failed write is caused by that write
            raise
        target.close()
        target.require_written()


def _limit_metadata_cache(file: h5py.File) -> None:
    """Limits the cache of chunk positions to 2 MB. HDF5 would let it grow to 32 MB with a large file."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = METADATA_CACHE_BYTES
    file.id.set_mdc_config(cache)


def require_written(file: h5py.File) -> None:
    """Raises OSError when a write to `file`, opened by `writing`, has failed.

    A long writer calls this now and then. Otherwise the error shows only when the file is closed.
    """
    if target := _open_files.get(file):
        target.require_written()


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Yields `path` opened for reading. Read its contents by the functions of this module.

    Raises DataError when the file is missing, is cut short or is not HDF5, and NewerFormatError when its format version
    is newer than this program's.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except HDF5_ERRORS as error:
        require_readable(path, error)
        raise DataError(f"{path}: not a whole HDF5 file ({error}); {ADVICE}") from error
    with file:
        check_format_version(path, read_attribute(file, "", "format_version"))
        yield file


def read_record(path: Path) -> dict[str, str]:
    """Reads the record of `path`, with `fingerprint` and `format_version`. Raises DataError as `reading` does."""
    record: dict[str, str] = {}
    with reading(path) as file:
        for name in names_in(file, file.attrs, "its record"):
            record[name] = str(read_attribute(file, "", name))
            if sum(map(len, record.values())) > MAX_RECORD_CHARACTERS:
                raise DataError(f"{path}: its record is longer than {MAX_RECORD_CHARACTERS} characters; {ADVICE}")
    check_seal(path, record)
    return record


def write_strings(file: h5py.File, name: str, strings: NDArray[np.str_]) -> None:
    """Writes (n,) strings as UTF-8 of one length, filled up with zero bytes.

    HDF5 keeps strings of variable length in a heap, and where that is damaged libhdf5 can read it for ever.
    """
    encoded = np.char.encode(strings, "utf-8")
    utf8 = h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))
    file.create_dataset(name, data=encoded.astype(utf8), dtype=utf8)


def _write_text_attribute(file: h5py.File, key: str, text: str) -> None:
    encoded = text.encode()
    if len(encoded) > MAX_FIXED_ATTRIBUTE_BYTES:
        file.attrs[key] = text
    else:
        file.attrs.create(key, encoded, dtype=h5py.string_dtype("utf-8", max(1, len(encoded))))
