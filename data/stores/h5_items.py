"""What is in an open HDF5 file, read without trust: the file may come from anyone.

No link is followed (a dataset must stand in the file itself, not in another one that the user can read), no type but
numbers and UTF-8 is taken, and nothing is read that would take more memory than the file has bytes, which a few bytes
of a header could ask for. Callers reach these functions through `data.stores.h5`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from data.errors import DataError
from data.stores.files import ADVICE

NUMBER_KINDS = "biuf"  # bool, integers, floating point
MAX_NAMES = 1000  # attributes, or members of a group
MAX_STRINGS_BYTES = 1 << 28  # of an array of strings in memory, in which each takes as much room as the longest
# what h5py raises about a damaged file depends on where in it the damage is
BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError, SystemError)

_KINDS = {"b": "true or false", "i": "integers", "u": "integers", "f": "floating-point numbers"}


def read_attribute(file: h5py.File, name: str, attribute: str) -> Any:
    """One string, one number or (k,) numbers that `name` carries ("" for the file itself); None when there is none.

    Raises DataError when it is anything else, or `name` is not there.
    """
    item = find(file, name)
    with damage_of(file, f"attribute {attribute}"):
        if attribute not in item.attrs:
            return None
        stored = item.attrs.get_id(attribute)
        text = h5py.check_string_dtype(stored.dtype) is not None and stored.shape == ()
        if not text and (stored.dtype.kind not in NUMBER_KINDS or stored.shape is None or len(stored.shape) > 1):
            raise DataError(
                f"{file.filename}: attribute {attribute} holds {_type(stored)}, where a text or numbers are wanted; "
                f"{ADVICE}"
            )
        return item.attrs[attribute]


def members(file: h5py.File, name: str = "") -> list[str]:
    """The names in the group `name` ("" for the file itself). Raises DataError when it is no group."""
    group = find(file, name)
    if not isinstance(group, h5py.Group):
        raise DataError(f"{file.filename}: {name} is no group; {ADVICE}")
    return names_in(file, group, name or "the file")


def find(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset:
    """What is called `name` in the file itself. Raises DataError when there is nothing, or it is a link elsewhere."""
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


def dataset(file: h5py.File, name: str, kind: str = NUMBER_KINDS, ndim: int | None = None) -> h5py.Dataset:
    """The dataset `name` of numbers, to be read with `read_rows`.

    `kind` are the letters of NumPy's kinds of numbers that are taken, `ndim` is how many dimensions there must be.
    Raises DataError when it is missing, holds anything else, or is not in the file as a whole.
    """
    found = _stored(file, name)
    with damage_of(file, f"dataset {name}"):
        if found.dtype.kind not in kind or ndim not in (None, found.ndim):
            wanted = "" if ndim is None else f" in {ndim} dimensions"
            raise DataError(
                f"{file.filename}: dataset {name} holds {_type(found)}, where "
                f"{' or '.join(_KINDS[letter] for letter in kind)}{wanted} is wanted; {ADVICE}"
            )
        return found


def read_rows(found: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    """Rows `start` to `stop` of what `dataset` gave. Raises DataError when they are damaged."""
    with damage_of(found.file, f"dataset {found.name.lstrip('/')}"):
        return np.asarray(found[start:stop])


def read_array(file: h5py.File, name: str, like: DTypeLike | None = None, ndim: int | None = None) -> NDArray[Any]:
    """All of the dataset `name` of numbers, as type `like` (which must be of its kind) where one is given.

    Raises DataError as `dataset` does, and when its checksum is wrong.
    """
    wanted = None if like is None else np.dtype(like)
    found = dataset(file, name, NUMBER_KINDS if wanted is None else wanted.kind, ndim)
    with damage_of(file, f"dataset {name}"), np.errstate(over="ignore"):
        return np.asarray(found[()], dtype=wanted)


def read_strings(file: h5py.File, name: str) -> NDArray[np.str_]:
    """(n,) strings as `write_strings` writes them. Raises DataError as `read_array` does."""
    found = _stored(file, name)
    with damage_of(file, f"dataset {name}"):
        kind = h5py.check_string_dtype(found.dtype)
        if kind is None or kind.length is not None or found.ndim != 1:
            raise DataError(f"{file.filename}: dataset {name} holds {_type(found)}, where texts are wanted; {ADVICE}")
        lengths = _string_lengths(file, found)
        if lengths.sum() > Path(file.filename).stat().st_size or 4 * lengths.max(initial=0) * len(lengths) > (
            MAX_STRINGS_BYTES
        ):
            raise DataError(
                f"{file.filename}: dataset {name} declares {len(lengths)} texts of up to {lengths.max()} bytes, more "
                f"than the file can hold or a table of texts needs; {ADVICE}"
            )
        return np.array([value.decode() for value in found[()]], dtype=np.str_)


def _string_lengths(file: h5py.File, found: h5py.Dataset) -> NDArray[np.int64]:
    """How many bytes each of (n,) strings has, from the references in the file: 4 bytes of length, then the place.

    Many references can share a place, so that reading the strings would take many times the file's size.
    """
    if not len(found):
        return np.zeros(0, np.int64)
    start, stored = found.id.get_offset(), found.id.get_storage_size()
    if start is None or file.userblock_size or stored % len(found):
        raise DataError(f"{file.filename}: dataset {found.name} is not stored as fsvae-pipe stores texts; {ADVICE}")
    with Path(file.filename).open("rb") as raw:
        raw.seek(start)
        references = np.frombuffer(raw.read(stored), np.uint8).reshape(len(found), -1)
    return references[:, :4].copy().view("<u4")[:, 0].astype(np.int64)


def _stored(file: h5py.File, name: str) -> h5py.Dataset:
    """The dataset `name`, after checking that its contents are in this file and declared no larger than the file."""
    found = find(file, name)
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{file.filename}: has no dataset {name}; {ADVICE}")
    with damage_of(file, f"dataset {name}"):
        if found.is_virtual or found.external:
            raise DataError(f"{file.filename}: dataset {name} lies in other files, which are not opened; {ADVICE}")
        if found.shape is None:
            raise DataError(f"{file.filename}: dataset {name} is empty; {ADVICE}")
        whole = Path(file.filename).stat().st_size
        chunk = int(np.prod(found.chunks or (1,), dtype=object)) * found.dtype.itemsize if found.size else 0
        if max(int(found.nbytes), chunk) > whole:
            raise DataError(
                f"{file.filename}: dataset {name} declares {_type(found)}, but the file has {whole} bytes; {ADVICE}"
            )
        return found


def _type(item: Any) -> str:
    """The type and shape of a dataset or attribute, for people."""
    return f"{str(item.dtype)[:40]} {item.shape}"


def names_in(file: h5py.File, group: Any, what: str) -> list[str]:
    """The names in a group or a set of attributes, called `what`. Raises DataError when there are too many."""
    with damage_of(file, what):
        if len(group) > MAX_NAMES:
            raise DataError(f"{file.filename}: {what} has {len(group)} names, at most {MAX_NAMES} are read; {ADVICE}")
        names = list(group)
    if not all(isinstance(name, str) for name in names):  # h5py gives bytes for what is no UTF-8
        raise DataError(f"{file.filename}: {what} has a name that is no UTF-8; {ADVICE}")
    return names


@contextmanager
def damage_of(file: h5py.File, what: str) -> Iterator[None]:
    """Turn whatever h5py raises about a damaged file into a DataError that says `what` is damaged."""
    try:
        yield
    except BROKEN as error:
        raise DataError(f"{file.filename}: {what} is damaged ({error}); {ADVICE}") from error
