"""Where raw clips come from: folders, zip archives and single files, in any mix.

Listing reads names only. A clip inside an archive is read straight from its place there, so that a worker process need
not read, and keep, the archive's directory of tens of thousands of names.
"""

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from data.clip_name import ClipName
from data.errors import DataError, RawFileError
from data.raw.skeleton_file import MAX_BYTES
from data.raw.zip_file import BROKEN, opened_zip, require_apart

SUFFIX = ".skeleton"
DATASETS_WITH_MISSING_CLIPS = ("ntu60", "ntu120")

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., length of the name, length of the extra field
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file stands in a zip archive, and how it is packed."""

    name: str
    offset: int
    method: int
    encrypted: bool
    packed_bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class ClipSource:
    """One raw file: `path`, or `member` of the archive at `path`. `str` gives a name for people."""

    path: str
    num_bytes: int
    member: Member | None = None

    def __str__(self) -> str:
        return f"{self.path}/{self.member.name}" if self.member else self.path

    @property
    def stem(self) -> str:
        """The file's name without folder and ending."""
        return _base(self.member.name if self.member else self.path)[: -len(SUFFIX)]

    def read(self) -> bytes:
        """The contents. Raises RawFileError when they can't be read whole, or are too large to be a clip."""
        if self.num_bytes > MAX_BYTES:
            raise RawFileError(str(self), f"{self.num_bytes} bytes; a clip has at most {MAX_BYTES}")
        try:
            return self._read_file() if self.member is None else self._unpack(self.member)
        except BROKEN as error:
            raise RawFileError(str(self), f"can't be read ({getattr(error, 'strerror', None) or error})") from error

    def _read_file(self) -> bytes:
        path = Path(self.path)
        if path.exists() and not path.is_file():
            raise RawFileError(str(self), "it is a device or a pipe, no file")  # these may never end
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)

    def _unpack(self, member: Member) -> bytes:
        if member.encrypted or member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            kind = "encrypted" if member.encrypted else f"packed by method {member.method}"
            raise RawFileError(str(self), f"it is {kind}; archives must be plain or deflated")
        with Path(self.path).open("rb") as archive:
            archive.seek(member.offset)
            signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size).ljust(30))
            if signature != _SIGNATURE:
                raise zipfile.BadZipFile("the archive's directory points to no file")
            archive.seek(name_bytes + extra_bytes, os.SEEK_CUR)
            packed = archive.read(min(member.packed_bytes, MAX_BYTES))
        if member.method == zipfile.ZIP_DEFLATED:
            packed = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.num_bytes + 1)
        if len(packed) != self.num_bytes or zlib.crc32(packed) != member.crc:
            raise zipfile.BadZipFile("its checksum is wrong: the archive is damaged")
        return packed


def _base(name: str) -> str:
    """The last part of a path in a folder or archive; some archives are written with backslashes."""
    return name.replace("\\", "/").rpartition("/")[2]


def is_clip_file(name: str) -> bool:
    """Whether a path in a folder or archive is a raw file, and no shadow of one that macOS leaves behind."""
    base = _base(name)
    return base.lower().endswith(SUFFIX) and not base.startswith("._")


def list_source(path: Path) -> Iterator[ClipSource]:
    """Every raw file in a folder (with all below it) or archive, or the file itself, in no particular order.

    Raises DataError when the path does not exist, is nothing of these, or holds no raw file.
    """
    found = False
    listing: Iterator[ClipSource]
    if path.is_dir():
        listing = (ClipSource(file, status.st_size if status else 0) for file, status in _walk(path))
    else:
        _require_file(path)
        single = is_clip_file(path.name)
        listing = iter([ClipSource(str(path), path.stat().st_size)]) if single else _members(path)
    for source in listing:
        found = True
        yield source
    if not found:
        raise _nothing_in(path)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder; dataset.raw names folders, .zip archives or {SUFFIX} files")


def _nothing_in(path: Path) -> DataError:
    archives = sorted(file.name for file in path.glob("*.zip")) if path.is_dir() else []
    hint = f"it holds {', '.join(archives)}: name archives themselves" if archives else "name another folder or archive"
    return DataError(
        f"{path}: holds no {SUFFIX} file; {hint} in dataset.raw, or run `fsvae-pipe preprocess --raw PATH`"
    )


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """Raw files below `root`, each with its status (None for a link that leads nowhere); links are followed once."""
    folders, own = [str(root)], root.stat()
    been = {(own.st_dev, own.st_ino)}
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError as error:
            raise DataError(f"{error.filename}: can't be read ({error.strerror})") from error
        for entry in entries:
            try:
                status = entry.stat()
            except OSError:
                status = None
            if status is not None and stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) not in been:
                    been.add((status.st_dev, status.st_ino))
                    folders.append(entry.path)
            elif is_clip_file(entry.name):
                yield entry.path, status


def _entries(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with opened_zip(path) as archive:
            return archive.infolist()
    except BROKEN as error:
        raise DataError(
            f"{path}: neither a {SUFFIX} file nor a whole zip archive ({error}); get it again, or name another one in "
            "dataset.raw"
        ) from error


def _members(path: Path) -> Iterator[ClipSource]:
    entries = [entry for entry in _entries(path) if is_clip_file(entry.filename) and not entry.is_dir()]
    require_apart(path, entries)
    entries.reverse()
    while entries:  # each is let go of at once: they take more memory than what is made of them
        entry = entries.pop()
        encrypted = bool(entry.flag_bits & _ENCRYPTED)
        place = (entry.filename, entry.header_offset, entry.compress_type, encrypted, entry.compress_size, entry.CRC)
        yield ClipSource(str(path), entry.file_size, Member(*place))


def find_clips(paths: Sequence[Path]) -> tuple[list[tuple[ClipName, ClipSource]], list[RawFileError]]:
    """All clips in `paths`, sorted by name; and why each file was refused whose name is no clip name.

    Raises DataError as `list_source` does, and when two files hold the same clip.
    """
    clips: dict[ClipName, ClipSource] = {}
    misnamed: list[RawFileError] = []
    for path in paths:
        for source in list_source(path):
            try:
                name = ClipName.parse(source.stem)
            except DataError as error:
                misnamed.append(RawFileError(str(source), str(error)))
                continue
            if name in clips:
                raise DataError(
                    f"{name} is there twice, as {clips[name]} and as {source}: remove one of them, or name only one of "
                    "the places in dataset.raw"
                )
            clips[name] = source
    return sorted(clips.items(), key=lambda clip: str(clip[0])), sorted(misnamed, key=lambda error: error.file)


@cache
def missing_clips(dataset: str) -> frozenset[str]:
    """Names of the clips of `dataset` whose skeletons are officially missing or incomplete; for others, none."""
    if dataset not in DATASETS_WITH_MISSING_CLIPS:
        return frozenset()
    return frozenset(resources.files("data").joinpath(f"missing_{dataset}.txt").read_text("ascii").split())


def fingerprint_source(path: Path) -> str:
    """A text that changes when raw files at `path` come, go or change, from names, sizes and times of change.

    Of an archive only its own size and time count. Raises DataError when the path does not exist or is a folder
    without raw files.
    """
    if path.is_dir():
        start = len(str(path)) + 1
        found = sorted((file[start:], status) for file, status in _walk(path))
        if not found:
            raise _nothing_in(path)
        what = f"{len(found)} clips"
    else:
        _require_file(path)
        own = path.stat()
        found, what = [(path.name, own)], f"{own.st_size} bytes"
    digest = hashlib.sha256()
    for name, status in found:
        size, changed = (status.st_size, status.st_mtime_ns) if status else (-1, -1)
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return f"{what}, {digest.hexdigest()[:16]}"
