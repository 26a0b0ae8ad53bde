"""Reads rows of large .npy arrays, and of arrays in .npz archives, in blocks. The whole array is never in memory."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.formats.npy_file import read_header
from data.raw.zip_file import ZIP_ERRORS, open_zip

MAX_ROW_BYTES = 1 << 26
BLOCK_BYTES = 1 << 26
MAX_COMPRESSION = 200  # unpacked bytes per packed byte; coordinates of clips stay far below
UNCHECKED_BYTES = 1 << 28  # up to this unpacked size any compression is accepted


class ArrayRows:
    """An open array of numbers. Rows are read on request."""

    def __init__(self, stream: IO[bytes], size_bytes: int, source: str) -> None:
        """Reads the header of the .npy in `stream`, which has `size_bytes`. Errors name `source`.

        Raises DataError when it is not an array of numbers in C order, or longer or shorter than its header says.
        """
        self.source = source
        self._stream = stream
        try:
            header = read_header(stream, source)
        except ZIP_ERRORS as error:
            raise DataError(f"{source}: can't be read ({error})") from error
        self.shape, self._dtype, self._start = header.shape, header.dtype, header.start
        if header.fortran_order or not self.shape:
            order = " in Fortran order" if header.fortran_order else ""
            raise DataError(f"{source}: has shape {self.shape}{order}; expected rows in C order")
        if self._start + header.size_bytes != size_bytes:
            raise DataError(
                f"{source}: {self.shape} takes {header.size_bytes} bytes, the file has {size_bytes - self._start}; "
                "it is damaged"
            )
        self._row_bytes = header.size_bytes // max(1, self.shape[0])
        if self._row_bytes > MAX_ROW_BYTES:
            raise DataError(f"{source}: a row of {self.shape} takes more than {MAX_ROW_BYTES} bytes")

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Reads rows `start` to `stop`. Raises DataError when they can't be read."""
        offset, num_bytes = self._start + start * self._row_bytes, (stop - start) * self._row_bytes
        try:
            if self._stream.tell() != offset:
                self._stream.seek(offset)
            content = self._stream.read(num_bytes)
        except ZIP_ERRORS as error:
            raise DataError(f"{self.source}: can't be read from row {start} on ({error})") from error
        if len(content) != num_bytes:
            raise DataError(f"{self.source}: cut short in row {start + len(content) // max(1, self._row_bytes)}")
        return np.frombuffer(content, self._dtype).reshape(stop - start, *self.shape[1:])

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Yields all rows in order, at most `rows` at a time, and fewer when rows are long."""
        rows = max(1, min(rows, BLOCK_BYTES // max(1, self._row_bytes)))
        for start in range(0, len(self), rows):
            yield self.read(start, min(len(self), start + rows))


@contextmanager
def npy_rows(path: Path) -> Iterator[ArrayRows]:
    """Yields the array in the .npy file at `path`. Raises DataError when it is missing, or as ArrayRows does."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE) as stream:
        yield ArrayRows(stream, path.stat().st_size, str(path))


@contextmanager
def npz_rows(path: Path, name: str) -> Iterator[ArrayRows]:
    """Yields the array `name` in the .npz archive at `path`, compressed or not. Raises DataError as `npy_rows` does."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(open_zip(path))
            member = archive.getinfo(f"{name}.npy")
            stream = stack.enter_context(archive.open(member))
        except KeyError:
            raise DataError(f"{path}: holds no array {name}; expected x_train, y_train, x_test and y_test") from None
        except ZIP_ERRORS as error:
            raise DataError(f"{path}: not a whole .npz archive ({error}); copy or download it again") from error
        if member.file_size > max(UNCHECKED_BYTES, MAX_COMPRESSION * member.compress_size):
            raise DataError(
                f"{path}, {name}: {member.compress_size} bytes unpack to {member.file_size}, too much for clips"
            )
        yield ArrayRows(stream, member.file_size, f"{path}, {name}")
