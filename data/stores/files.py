"""Whole files or none (write beside the place, rename last), and the version of what is in them."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from data.errors import DataError, NewerFormatError

ADVICE = "delete it, then `fsvae-pipe run` makes it again (or import it again)"  # about an output that is damaged
SEAL = "record_fingerprint"  # of all of a record but what stands for itself:
NOT_SEALED = (SEAL, "fingerprint", "format_version")
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


def sealed(record: Mapping[str, str]) -> dict[str, str]:
    """`record` with a digest of itself, by which `check_seal` knows that no bit of it changed."""
    return {**record, SEAL: _digest(record)}


def check_seal(path: Path, record: Mapping[str, str]) -> None:
    """Raise DataError when `record`, read from `path`, is not what `sealed` gave. Records without a seal pass."""
    if record.get(SEAL) not in (None, _digest(record)):
        raise DataError(f"{path}: its record of how it was made is damaged or was edited; {ADVICE}")


def _digest(record: Mapping[str, str]) -> str:
    counted = {key: str(value) for key, value in record.items() if key not in NOT_SEALED}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partial_path(path: Path) -> Path:
    """Where `path` is written until it is whole: hidden, in the same folder, the same at every try."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well it becomes `path`, otherwise `path` stays as it was.

    The file is flushed to disk before it is renamed, so that a power cut leaves the old file or the new one. Raises
    DataError when it can't be written: a full disk, a folder that is read-only or was taken away.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask has it; some libraries let nobody else read what they write
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except Exception as error:
        reason = _why_unwritten(error, partial)
        if reason is None:
            raise
        raise DataError(
            f"{path}: can't be written ({reason}); nothing there was changed. Give the folder room and the right to be "
            "written in, then run the same command again: it goes on from there"
        ) from error
    finally:
        with suppress(OSError):  # of a folder that is gone or read-only; there is nothing to take away then
            partial.unlink()


def _why_unwritten(error: Exception, partial: Path) -> str | None:
    """What the system says against writing to `partial`, None when `error` is about something else.

    safetensors tells the system's number in its message alone.
    """
    if isinstance(error, OSError):
        named = Path(os.fsdecode(error.filename)) if error.filename else partial
        what = error.strerror or str(error)
        return what if named == partial else f"{named}: {what}" if named in partial.parents else None
    number = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(number[1])) if number else None
