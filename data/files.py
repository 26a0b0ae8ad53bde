"""Whole files or none (write beside the place, rename last), and the version of what is in them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import DataError, NewerFormatError

FORMAT_VERSION = 1  # of every file that the program writes; raised when an older program could not read it


def check_format_version(path: Path, version: object) -> None:
    """Raise NewerFormatError when the file at `path` has a newer format `version`, DataError when it has none."""
    try:
        found = int(str(version))
    except ValueError:
        raise DataError(
            f"{path}: not a file of fsvae-pipe's (it has no format_version); move it away, then run the stage again"
        ) from None
    if found > FORMAT_VERSION:
        raise NewerFormatError(
            f"{path}: written in format version {found}, this fsvae-pipe reads up to {FORMAT_VERSION}; "
            "upgrade fsvae-pipe, or use another workspace"
        )


def partial_path(path: Path) -> Path:
    """Where `path` is written until it is whole: hidden, in the same folder, the same at every try."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well it becomes `path`, otherwise `path` stays as it was.

    The file is flushed to disk before it is renamed, so that a power cut leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
