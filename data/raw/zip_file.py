"""Zip archives of others: opened with bounded memory, whatever their directory says."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from data.errors import DataError

MAX_DIRECTORY_BYTES = 1 << 25  # the directory of 100 000 clips takes some 10 MB
LOCAL_HEADER_BYTES = 30  # at least, before the contents of a member
# what a broken, encrypted or exotically packed archive raises
BROKEN = (OSError, EOFError, ValueError, OverflowError, zipfile.BadZipFile, zlib.error, RuntimeError, struct.error)


class _Bounded(io.FileIO):
    """A file whose directory zipfile reads in one piece, which is the piece that must not be too long."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes. Raises BadZipFile when that is more than a directory may have."""
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(
                f"its directory takes {size} bytes, more than {MAX_DIRECTORY_BYTES}; make several archives of it"
            )
        return super().read(size) or b""


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, opened for reading its directory. Raises what is in BROKEN."""
    with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


def require_apart(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise DataError when two members share bytes, by which a small archive unpacks to any size."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    for member, following in pairwise(ordered):
        end = member.header_offset + LOCAL_HEADER_BYTES + member.compress_size
        if end > following.header_offset:
            raise DataError(f"{path}: {member.filename} and {following.filename} share bytes in it; it is no archive")
