"""A file object that hides write errors from HDF5 and raises them afterwards, so that a full disk ends in a message.

HDF5 does not survive a write that fails while it closes a dataset or a file: the half-closed object ends the process
with a segmentation fault when Python exits. This file keeps the first error for the writer to raise, and drops whatever
is written after it, so that HDF5 closes everything as usual. For the same reason no signal handler may raise an
exception in here (see pipeline/cli/signals.py). After a signal the file stays open until HDF5 has released it, which
may be late.
"""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class SteadyFile(io.RawIOBase):
    """A new file to give to `h5py.File` instead of a path. It closes itself when nothing uses it any more."""

    def __init__(self, path: Path) -> None:
        """Creates the file at `path`. Raises OSError when this fails."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
        self._error: OSError | None = None

    def __repr__(self) -> str:
        return str(self._path)  # HDF5 uses it in its messages

    def require_written(self) -> None:
        """Raises the error of the first write that failed, if one did."""
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seeks as any file does."""
        return os.lseek(self._descriptor, offset, whence)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Reads as any file does. Bytes that were dropped, or lie after the end, read as zeros."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (content := os.read(self._descriptor, len(view) - done)):
            view[done : done + len(content)] = content
            done += len(content)
        view[done:] = bytes(len(view) - done)
        return done

    def write(self, content: "ReadableBuffer") -> int:
        """Writes all of `content`, unless an error occurred. Reports success in both cases."""
        remaining = memoryview(content).cast("B")
        num_bytes = len(remaining)
        try:
            while remaining and self._error is None:
                remaining = remaining[os.write(self._descriptor, remaining) :]
        except OSError as error:
            self._error = error
        return num_bytes

    def truncate(self, size: int | None = None) -> int:
        """Shortens or extends the file to `size` bytes. A full disk can refuse to extend it."""
        try:
            if self._error is None and size is not None:
                os.ftruncate(self._descriptor, size)
        except OSError as error:
            self._error = error
        return size or 0

    def flush(self) -> None:
        """Does nothing, because nothing is buffered in this process."""

    def close(self) -> None:
        """Closes the file, once. Keeps an error that shows only now."""
        if not self.closed:
            super().close()
            try:
                os.close(self._descriptor)
            except OSError as error:
                self._error = self._error or error
