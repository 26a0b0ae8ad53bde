"""A file for HDF5 to write into that never tells it of a fault, so that a full disk ends in a message.

HDF5 does not survive a write that fails while it closes a dataset or a file: what is half closed kills the process when
it ends, by a segmentation fault. Here the first fault is kept for the writer to raise, and all that is written after it
is dropped, so that HDF5 closes everything as ever. For the same reason no signal may raise anything in here
(pipeline/cli/signals.py), and the file stays open until HDF5 has let go of it, which may be late after a signal.
"""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class SteadyFile(io.RawIOBase):
    """A new file, to be given to `h5py.File` in place of a path; it closes itself when nobody uses it any more."""

    def __init__(self, path: Path) -> None:
        """Make the file at `path`. Raises OSError when it can't be."""
        self._path = path
        self._number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
        self._fault: OSError | None = None

    def __repr__(self) -> str:
        return str(self._path)  # what HDF5 calls the file in its messages

    def require_written(self) -> None:
        """Raise the fault of the first write that failed, if one did."""
        if self._fault is not None:
            raise self._fault

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        return os.lseek(self._number, offset, whence)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """As of any file; what was dropped, and what lies behind the end, reads as zeros."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (found := os.read(self._number, len(view) - done)):
            view[done : done + len(found)] = found
            done += len(found)
        view[done:] = bytes(len(view) - done)
        return done

    def write(self, content: "ReadableBuffer") -> int:
        """Write all of `content` unless there was a fault; say in either case that it was written."""
        left = memoryview(content).cast("B")
        whole = len(left)
        try:
            while left and self._fault is None:
                left = left[os.write(self._number, left) :]
        except OSError as fault:
            self._fault = fault
        return whole

    def truncate(self, size: int | None = None) -> int:
        """Cut to `size` bytes, or lengthen, which a full disk can refuse too."""
        try:
            if self._fault is None and size is not None:
                os.ftruncate(self._number, size)
        except OSError as fault:
            self._fault = fault
        return size or 0

    def flush(self) -> None:
        """Nothing: what was written is with the system."""

    def close(self) -> None:
        """Close the file, once; a fault that only now comes to light is kept as well."""
        if not self.closed:
            super().close()
            try:
                os.close(self._number)
            except OSError as fault:
                self._fault = self._fault or fault
