"""Errors that bad data raises. Each one is shown to the user as a message, never as a traceback."""

import errno
import re
from typing import Self

# the system refuses or fails to read a file, which says nothing about its contents: it may work again later
AWAY = {
    errno.EACCES,
    errno.EPERM,
    errno.EAGAIN,
    errno.EBUSY,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENODEV,
    errno.ENXIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ECONNRESET,
}


class DataError(Exception):
    """A file, a clip name or a split is not valid. The message names it and says what was found and expected."""


class NewerFormatError(DataError):
    """A newer fsvae-pipe wrote the file. No stage replaces such a file."""


class UnavailableFileError(DataError):
    """An output can't be read now: it is locked, or the system refuses. It may be whole, so no stage replaces it."""


class RawFileError(DataError):
    """A raw file is refused. The error holds the file, the line (None when the fault has no line) and the reason."""

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, int | None]]:
        """How it is pickled: by the arguments that it was made with."""
        return type(self), (self.file, self.reason, self.line)


class UnreadableFileError(RawFileError):
    """A raw file could not be read this time: no permission, an input/output error, a share that is away."""


def is_away(error: Exception) -> bool:
    """Whether `error` says that the system could not read a file, as opposed to a file whose contents are broken."""
    number = re.search(r"errno = (\d+)", str(error))  # h5py gives it in its message, whatever the kind of the error is
    code = int(number[1]) if number else error.errno if isinstance(error, OSError) else None
    return "unable to lock file" in str(error) or code in AWAY
