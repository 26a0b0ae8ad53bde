"""Zip archives from others, read with bounded memory whatever they claim about their contents."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from data.errors import DataError

MAX_DIRECTORY_BYTES = 1 << 25  # the directory of 100 000 clips takes about 10 MB
# what a broken, encrypted or unusually packed archive raises
ZIP_ERRORS = (OSError, EOFError, ValueError, OverflowError, zipfile.BadZipFile, zlib.error, RuntimeError, struct.error)

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., length of the name, length of the extra field
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


class _BoundedFile(io.FileIO):
    """A file that refuses very long reads. zipfile reads an archive's directory in one piece, whatever its length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads `size` bytes. Raises BadZipFile when `size` is more than a directory may have."""
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(
                f"its directory takes {size} bytes, more than {MAX_DIRECTORY_BYTES}; divide it into several archives"
            )
        return super().read(size) or b""


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yields the archive at `path`, opened for reading. Raises one of ZIP_ERRORS when it is broken."""
    with _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


@dataclass(frozen=True, slots=True)
class ZipMember:
    """Where a file is in a zip archive, and how it is packed.

    A worker process reads a member straight from its offset. Through `zipfile` it would first have to read, and keep,
    the directory with its tens of thousands of names.
    """

    name: str
    offset: int
    method: int
    encrypted: bool
    packed_bytes: int
    num_bytes: int
    crc: int

    @classmethod
    def of(cls, info: zipfile.ZipInfo) -> Self:
        """Makes a member from its entry in the directory."""
        encrypted = bool(info.flag_bits & _ENCRYPTED)
        packing = (info.header_offset, info.compress_type, encrypted, info.compress_size, info.file_size, info.CRC)
        return cls(info.filename, *packing)

    def read(self, path: Path, max_packed_bytes: int) -> bytes:
        """Reads the member from the archive at `path`. Raises one of ZIP_ERRORS when it can't be read whole.

        Takes memory for `num_bytes`, which the caller must have checked, and `max_packed_bytes`.
        """
        if self.encrypted or self.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            packing = "encrypted" if self.encrypted else f"packed by method {self.method}"
            raise zipfile.BadZipFile(f"it is {packing}; archives must be stored or deflated")
        with path.open("rb") as archive:
            archive.seek(self.offset)
            signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size).ljust(30))
            if signature != _SIGNATURE:
                raise zipfile.BadZipFile("the archive's directory points to no file")
            archive.seek(name_bytes + extra_bytes, os.SEEK_CUR)
            content = archive.read(min(self.packed_bytes, max_packed_bytes))
        if self.method == zipfile.ZIP_DEFLATED:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, self.num_bytes + 1)
        if len(content) != self.num_bytes or zlib.crc32(content) != self.crc:
            raise zipfile.BadZipFile("its checksum is wrong: the archive is damaged")
        return content


def require_no_overlap(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises DataError when two members share bytes. In this way a small archive unpacks to any size."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    for member, following in pairwise(ordered):
        end = member.header_offset + _LOCAL_HEADER.size + member.compress_size
        if end > following.header_offset:
            raise DataError(
                f"{path}: {member.filename} and {following.filename} share bytes; it is not a valid archive"
            )
