"""A raw file in a folder or in a zip archive."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from data.errors import RawFileError, UnreadableFileError, is_away
from data.raw.skeleton_file import MAX_BYTES
from data.raw.zip_file import ZIP_ERRORS, ZipMember

SUFFIX = ".skeleton"


@dataclass(frozen=True, slots=True)
class ClipSource:
    """One raw file: `path` itself, or `member` of the archive at `path`. `str` gives a name for messages."""

    path: str
    num_bytes: int
    member: ZipMember | None = None

    def __str__(self) -> str:
        return f"{self.path}/{self.member.name}" if self.member else self.path

    @property
    def stem(self) -> str:
        """The file's name without folder and ending; NAME of NAME.skeleton.npy too."""
        stem = base_name(self.member.name if self.member else self.path).rpartition(".")[0]
        return stem[: -len(SUFFIX)] if stem.lower().endswith(SUFFIX) else stem

    def read(self) -> bytes:
        """Reads the contents.

        Raises RawFileError when they are not whole, or too large for a clip, and UnreadableFileError when the system
        could not read them this time.
        """
        if self.num_bytes > MAX_BYTES:
            raise RawFileError(str(self), f"{self.num_bytes} bytes; a clip has at most {MAX_BYTES}")
        path = Path(self.path)
        try:
            if self.member is not None:
                return self.member.read(path, MAX_BYTES)
            self._require_file(path)
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except ZIP_ERRORS as error:
            raise self._not_read(error) from error

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Opens the file, of any length, to read it piece by piece; a member of an archive is read whole before.

        Raises as `read` does, also for what happens while it is read.
        """
        if self.member is not None:
            yield io.BytesIO(self.read())
            return
        path = Path(self.path)
        try:
            self._require_file(path)
            with path.open("rb") as file:
                yield file
        except OSError as error:
            raise self._not_read(error) from error

    def _require_file(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise RawFileError(str(self), "it is a device or a pipe, not a file")  # reading these may never end

    def _not_read(self, error: Exception) -> RawFileError:
        path = Path(self.path)
        gone = isinstance(error, FileNotFoundError)  # it was there when files were listed, be it as a link
        kind = UnreadableFileError if gone or is_away(error) else RawFileError
        link = f": it links to {path.readlink()}, which is not there" if gone and path.is_symlink() else ""
        return kind(str(self), f"can't be read ({getattr(error, 'strerror', None) or error}{link})")


@dataclass(frozen=True, slots=True)
class HeldSource(ClipSource):
    """A raw file whose contents are in memory, to be sent to a machine that does not see the file.

    content: the contents, or the error of reading them, which `read` raises there.
    """

    content: bytes | RawFileError = b""

    @classmethod
    def of(cls, source: ClipSource) -> Self:
        """Reads `source` whole."""
        content: bytes | RawFileError
        try:
            content = source.read()
        except RawFileError as error:
            content = error
        return cls(source.path, source.num_bytes, source.member, content)

    def read(self) -> bytes:
        """Returns the contents, or raises what reading them raised."""
        if isinstance(self.content, RawFileError):
            raise self.content
        return self.content

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Opens the contents. Raises as `read` does."""
        yield io.BytesIO(self.read())


def base_name(name: str) -> str:
    """Returns the last part of a path in a folder or archive. Some archives are written with backslashes."""
    return name.replace("\\", "/").rpartition("/")[2]
