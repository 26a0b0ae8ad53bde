"""Reads the contents of an open HDF5 file without trust, because the file may come from anyone.

No link is followed: a dataset must be in the file itself, not in another file that the user can read. Only numbers and
UTF-8 strings are read. Nothing is read that would take more memory than the file has bytes, since a few bytes of a
header can ask for any amount. h5py checks none of this. Callers reach these functions through `data.stores.h5`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from data.errors import DataError
from data.stores.files import ADVICE, require_readable

NUMBER_KINDS = "biuf"  # bool, integers, floating point
CHECKSUM_BYTES = 4  # fletcher32
MAX_NAMES = 1000  # attributes, or names in a group
MAX_STRINGS_BYTES = 1 << 28  # of an array of strings in memory, where each takes as much as the longest
# what h5py raises about a damaged file, depending on where the damage is
HDF5_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError, MemoryError, SystemError)

_KIND_NAMES = {"b": "true or false", "i": "integers", "u": "integers", "f": "floating-point numbers"}


def read_attribute(file: h5py.File, name: str, attribute: str) -> Any:
    """Reads an attribute of the item `name` ("" for the file itself): a string, a number or (k,) numbers.

    Returns None when there is no such attribute. Raises DataError when it holds anything else, or there is no `name`.
    """
    item = find(file, name)
    with damage_of(file, f"attribute {attribute}"):
        if attribute not in item.attrs:
            return None
        stored = item.attrs.get_id(attribute)
        is_text = h5py.check_string_dtype(stored.dtype) is not None and stored.shape == ()
        if not is_text and (stored.dtype.kind not in NUMBER_KINDS or stored.shape is None or len(stored.shape) > 1):
            raise DataError(
                f"{file.filename}: attribute {attribute} holds {_type(stored)}; expected a text or numbers; {ADVICE}"
            )
        value = item.attrs[attribute]
        return value.decode() if isinstance(value, bytes) else value


def group_names(file: h5py.File, name: str = "") -> list[str]:
    """Lists the names in the group `name` ("" for the file itself). Raises DataError when it is not a group."""
    group = find(file, name)
    if not isinstance(group, h5py.Group):
        raise DataError(f"{file.filename}: {name} is not a group; {ADVICE}")
    return names_in(file, group, name or "the file")


def find(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset:
    """Returns the group or dataset `name` of the file itself. Raises DataError when it does not exist or is a link."""
    item: Any = file
    with damage_of(file, name):
        for part in name.split("/") if name else ():
            link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
            if link is None:
                raise DataError(f"{file.filename}: has no dataset {name}; {ADVICE}")
            if not isinstance(link, h5py.HardLink):
                raise DataError(f"{file.filename}: {name} is a link to another place, which is not followed; {ADVICE}")
            item = item[part]
        return item


def dataset(file: h5py.File, name: str, kinds: str = NUMBER_KINDS, ndim: int | None = None) -> h5py.Dataset:
    """Returns the dataset `name` of numbers, to be read with `read_rows`.

    `kinds` are the accepted kinds of dtype, as NumPy's letters. `ndim` is the required number of dimensions. Raises
    DataError when the dataset is missing, is of another type, or is not all in the file.
    """
    stored = _contained_dataset(file, name)
    with damage_of(file, f"dataset {name}"):
        if stored.dtype.kind not in kinds or ndim not in (None, stored.ndim):
            expected = " or ".join(_KIND_NAMES[kind] for kind in kinds)
            dimensions = "" if ndim is None else f" in {ndim} dimensions"
            raise DataError(
                f"{file.filename}: dataset {name} holds {_type(stored)}; expected {expected}{dimensions}; {ADVICE}"
            )
        return stored


def read_rows(stored: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    """Reads rows `start` to `stop` of a dataset from `dataset`. Raises DataError when they are damaged."""
    with damage_of(stored.file, f"dataset {stored.name.lstrip('/')}"):
        return np.asarray(stored[start:stop])


def read_array(file: h5py.File, name: str, like: DTypeLike | None = None, ndim: int | None = None) -> NDArray[Any]:
    """Reads the whole dataset `name` of numbers, as dtype `like` when it is given. The stored kind must be the same.

    Raises DataError as `dataset` does, and when a checksum is wrong.
    """
    dtype = None if like is None else np.dtype(like)
    stored = dataset(file, name, NUMBER_KINDS if dtype is None else dtype.kind, ndim)
    with damage_of(file, f"dataset {name}"), np.errstate(over="ignore"):
        return np.asarray(stored[()], dtype=dtype)


def read_strings(file: h5py.File, name: str) -> NDArray[np.str_]:
    """Reads (n,) strings that `write_strings` wrote, which were of variable length at first.

    Raises DataError as `read_array` does.
    """
    stored = _contained_dataset(file, name)
    with damage_of(file, f"dataset {name}"):
        string_type = h5py.check_string_dtype(stored.dtype)
        if string_type is None or stored.ndim != 1:
            raise DataError(f"{file.filename}: dataset {name} holds {_type(stored)}; expected texts; {ADVICE}")
        one_length = string_type.length
        lengths = _string_lengths(file, stored) if one_length is None else np.full(len(stored), one_length)
        array_bytes = 4 * lengths.max(initial=0) * len(lengths)
        if lengths.sum() > Path(file.filename).stat().st_size or array_bytes > MAX_STRINGS_BYTES:
            raise DataError(
                f"{file.filename}: dataset {name} declares {len(lengths)} texts of up to {lengths.max()} bytes, more "
                f"than the file can hold or a table of texts needs; {ADVICE}"
            )
        return np.array([value.decode() for value in stored[()]], dtype=np.str_)


def _string_lengths(file: h5py.File, stored: h5py.Dataset) -> NDArray[np.int64]:
    """Reads the length of each of (n,) strings in bytes, without reading the strings.

    The dataset holds a reference for each string: 4 bytes of length, then the position of its text. Many references can
    share one text, so that reading the strings would take many times the file's size.
    """
    if not len(stored):
        return np.zeros(0, np.int64)
    start, num_bytes = stored.id.get_offset(), stored.id.get_storage_size()
    if start is None or file.userblock_size or num_bytes % len(stored):
        raise DataError(f"{file.filename}: dataset {stored.name} is not stored as fsvae-pipe stores texts; {ADVICE}")
    with Path(file.filename).open("rb") as raw:
        raw.seek(start)
        references = np.frombuffer(raw.read(num_bytes), np.uint8).reshape(len(stored), -1)
    return references[:, :4].copy().view("<u4")[:, 0].astype(np.int64)


def _contained_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Returns the dataset `name`, after checking that its contents are in this file and not declared larger than it."""
    stored = find(file, name)
    if not isinstance(stored, h5py.Dataset):
        raise DataError(f"{file.filename}: has no dataset {name}; {ADVICE}")
    with damage_of(file, f"dataset {name}"):
        if stored.is_virtual or stored.external:
            raise DataError(f"{file.filename}: dataset {name} lies in other files, which are not opened; {ADVICE}")
        if stored.shape is None:
            raise DataError(f"{file.filename}: dataset {name} is empty; {ADVICE}")
        file_bytes = Path(file.filename).stat().st_size
        chunk_bytes = int(np.prod(stored.chunks or (1,), dtype=object)) * stored.dtype.itemsize if stored.size else 0
        if max(int(stored.nbytes), chunk_bytes) > file_bytes:
            raise DataError(
                f"{file.filename}: dataset {name} declares {_type(stored)}, but the file has {file_bytes} bytes; "
                f"{ADVICE}"
            )
        _require_checksums(file, stored)
        return stored


def _require_checksums(file: h5py.File, stored: h5py.Dataset) -> None:
    """Raises DataError when a chunk has no room for its checksum, which libhdf5 reads beyond the chunk then."""
    if stored.fletcher32:
        sizes: list[int] = []
        stored.id.chunk_iter(lambda chunk: sizes.append(chunk.size))
        if min(sizes, default=CHECKSUM_BYTES) < CHECKSUM_BYTES:
            raise DataError(f"{file.filename}: dataset {stored.name} has a chunk without its checksum; {ADVICE}")


def _type(stored: Any) -> str:
    """The dtype and shape of a dataset or attribute, for a message."""
    return f"{str(stored.dtype)[:40]} {stored.shape}"


def names_in(file: h5py.File, collection: Any, description: str) -> list[str]:
    """Lists the names in a group or a set of attributes. Raises DataError when there are too many.

    `description` names the collection in messages.
    """
    with damage_of(file, description):
        if len(collection) > MAX_NAMES:
            raise DataError(
                f"{file.filename}: {description} has {len(collection)} names, at most {MAX_NAMES} are read; {ADVICE}"
            )
        names = list(collection)
    if not all(isinstance(name, str) for name in names):  # h5py gives bytes for a name that is not UTF-8
        raise DataError(f"{file.filename}: {description} has a name that is not UTF-8; {ADVICE}")
    return names


@contextmanager
def damage_of(file: h5py.File, description: str) -> Iterator[None]:
    """Turns any error that h5py raises about a damaged file into a DataError. `description` names the damaged part."""
    try:
        yield
    except HDF5_ERRORS as error:
        require_readable(Path(file.filename), error)
        raise DataError(f"{file.filename}: {description} is damaged ({error}); {ADVICE}") from error
