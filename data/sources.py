"""Where raw clips come from: folders, zip archives and single files, in any mix.

Listing reads names only. A clip inside an archive is read straight from it, by its place, so that worker processes need
not read the archive's directory again.
"""

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from data.clip_name import ClipName
from data.errors import DataError

SUFFIX = ".skeleton"


@dataclass(frozen=True)
class Member:
    """A file's place inside a zip archive."""

    name: str
    offset: int
    method: int
    encrypted: bool
    compressed_bytes: int
    crc: int


@dataclass(frozen=True)
class ClipSource:
    """One raw file: `path`, or `member` of the archive at `path`."""

    path: str
    num_bytes: int
    member: Member | None = None

    def __str__(self) -> str:
        return f"{self.path}/{self.member.name}" if self.member else self.path

    @property
    def stem(self) -> str:
        """The file's name without folder and ending."""
        name = self.member.name if self.member else self.path
        return name.replace("\\", "/").rpartition("/")[2][: -len(SUFFIX)]

    def read(self) -> bytes:
        """The contents. Raises DataError when they can't be read whole."""
        try:
            if self.member is None:
                return Path(self.path).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member.name)
        except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise DataError(f"{self}: cannot be read ({error})") from error


def is_clip_file(name: str) -> bool:
    """Whether a path in a folder or archive is a raw clip, not clutter that macOS leaves."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return base.lower().endswith(SUFFIX) and not base.startswith("._")


def list_source(path: Path) -> Iterator[ClipSource]:
    """Every raw file in a folder (with all below it) or archive, or the file itself, in no particular order.

    Raises DataError when the path does not exist, is nothing of these, or holds no raw file.
    """
    found = False
    for source in _listing(path):
        found = True
        yield source
    if not found:
        raise DataError(f"{path}: holds no {SUFFIX} file")


def _listing(path: Path) -> Iterator[ClipSource]:
    if path.is_dir():
        for file, status in _walk(path):
            yield ClipSource(str(file), status.st_size)
    elif not path.is_file():
        raise DataError(f"{path}: no such file or folder; dataset.raw names folders, .zip archives or {SUFFIX} files")
    elif is_clip_file(path.name):
        yield ClipSource(str(path), path.stat().st_size)
    else:
        yield from _archive(path)


def _walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    folders = [root]
    been: set[tuple[int, int]] = set()
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat()
                if stat.S_ISDIR(status.st_mode):
                    place = (status.st_dev, status.st_ino)
                    if place not in been and entry.name != "__MACOSX":
                        been.add(place)
                        folders.append(folder / entry.name)
                elif is_clip_file(entry.name):
                    yield folder / entry.name, status


def _archive(path: Path) -> Iterator[ClipSource]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: neither a {SUFFIX} file nor a whole zip archive ({error})") from error
    for entry in entries:
        if is_clip_file(entry.filename) and not entry.is_dir():
            member = Member(
                entry.filename,
                entry.header_offset,
                entry.compress_type,
                bool(entry.flag_bits & 1),
                entry.compress_size,
                entry.CRC,
            )
            yield ClipSource(str(path), entry.file_size, member)


def find_clips(paths: Sequence[Path]) -> tuple[list[tuple[ClipName, ClipSource]], list[tuple[ClipSource, str]]]:
    """All clips in `paths`, sorted by name; and the files whose name is no clip name, each with the reason.

    Raises DataError as `list_source` does, and when two files hold the same clip.
    """
    clips: dict[ClipName, ClipSource] = {}
    misnamed: list[tuple[ClipSource, str]] = []
    for path in paths:
        for source in list_source(path):
            try:
                name = ClipName.parse(source.stem)
            except DataError as error:
                misnamed.append((source, str(error)))
                continue
            if name in clips:
                raise DataError(
                    f"{name} is there twice, as {clips[name]} and as {source}: remove one, or name only one of them "
                    "in dataset.raw"
                )
            clips[name] = source
    return sorted(clips.items()), sorted(misnamed, key=lambda item: str(item[0]))


@cache
def missing_clips(dataset: str) -> frozenset[str]:
    """Names of the clips of `dataset` whose skeletons are officially missing or incomplete; for others, none."""
    if dataset not in ("ntu60", "ntu120"):
        return frozenset()
    return frozenset(resources.files("data").joinpath(f"missing_{dataset}.txt").read_text("ascii").split())


def fingerprint_source(path: Path) -> str:
    """A text that changes when raw files at `path` come, go or change, from names, sizes and times of change.

    Of an archive only its own size and time count. Raises DataError as `list_source` does.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        found = sorted((str(file.relative_to(path)), status) for file, status in _walk(path))
    elif path.is_file():
        found = [(path.name, path.stat())]
    else:
        raise DataError(f"{path}: no such file or folder; dataset.raw names folders, .zip archives or {SUFFIX} files")
    if not found:
        raise DataError(f"{path}: holds no {SUFFIX} file")
    for name, status in found:
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    what = f"{len(found)} clips" if path.is_dir() else f"{found[0][1].st_size} bytes"
    return f"{what}, {digest.hexdigest()[:16]}"
