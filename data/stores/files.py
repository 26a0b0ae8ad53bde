"""Writes files whole or not at all, and checks the format version and the record of files that are read."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from data.errors import DataError, NewerFormatError, UnavailableFileError, is_away

ADVICE = "delete it, then `fsvae-pipe run` makes it again (or import it again)"  # for messages about a damaged output
RECORD_DIGEST = "record_fingerprint"  # the key of a record's own digest
NOT_IN_DIGEST = (RECORD_DIGEST, "fingerprint", "format_version")
FORMAT_VERSION = 1  # of every file that the program writes; raised when older programs can't read a new file


def check_format_version(path: Path, version: object) -> None:
    """Checks the format `version` of the file at `path`.

    Raises NewerFormatError when it is newer than this program's, DataError when it is not a version.
    """
    try:
        number = int(str(version))
    except ValueError:
        raise DataError(
            f"{path}: not written by fsvae-pipe (it has no format_version); move it away, then run the stage again"
        ) from None
    if number > FORMAT_VERSION:
        raise NewerFormatError(
            f"{path}: written in format version {number}, this fsvae-pipe reads up to {FORMAT_VERSION}; "
            "upgrade fsvae-pipe, or use another workspace"
        )


def sealed(record: Mapping[str, str]) -> dict[str, str]:
    """Returns `record` with a digest of itself. `check_seal` compares the digest to see any change."""
    return {**record, RECORD_DIGEST: _digest(record)}


def check_seal(path: Path, record: Mapping[str, str]) -> None:
    """Raises DataError when `record`, read from `path`, does not match its digest. Records without a digest pass."""
    if record.get(RECORD_DIGEST) not in (None, _digest(record)):
        raise DataError(f"{path}: its record of how it was made is damaged or was edited; {ADVICE}")


def _digest(record: Mapping[str, str]) -> str:
    digested = {key: str(value) for key, value in record.items() if key not in NOT_IN_DIGEST}
    return hashlib.sha256(json.dumps(digested, sort_keys=True).encode()).hexdigest()


def require_readable(path: Path, error: Exception) -> None:
    """Raises UnavailableFileError when `error` says that the system could not read `path`, which may be whole."""
    if not is_away(error):
        return
    if "unable to lock file" in str(error):
        raise UnavailableFileError(
            f"{path}: it is locked: another program has it open for writing; close that program, then run the same "
            "command again"
        ) from error
    raise UnavailableFileError(
        f"{path}: can't be read now ({error}); check its permissions and its disk, then run the same command again"
    ) from error


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partial_path(path: Path) -> Path:
    """Returns where `path` is written until it is whole: a hidden file in the same folder, always the same one."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write to. When the block ends without an error, that file replaces `path`.

    After an error `path` is as it was. The file is flushed to disk before it is renamed, so a power cut leaves the old
    file or the new one. Raises DataError when the file can't be written, because the disk is full, or the folder is
    read-only or was removed.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask sets it; some libraries make files private
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except Exception as error:
        reason = _write_failure(error, partial)
        if reason is None:
            raise
        raise DataError(
            f"{path}: can't be written ({reason}); nothing there was changed. Free disk space or make the folder "
            "writable, then run the same command again: it goes on from there"
        ) from error
    finally:
        with suppress(OSError):  # the folder is gone or read-only, so there is nothing to remove
            partial.unlink()


def _write_failure(error: Exception, partial: Path) -> str | None:
    """Returns why the system refused to write `partial`, or None when `error` is about something else."""
    if isinstance(error, OSError):
        named = Path(os.fsdecode(error.filename)) if error.filename else partial
        reason = error.strerror or str(error)
        return reason if named == partial else f"{named}: {reason}" if named in partial.parents else None
    number = re.search(r"\(os error (\d+)\)", str(error))  # safetensors gives the system's number in its message only
    return os.strerror(int(number[1])) if number else None
