"""Finds raw clips in folders, zip archives and single files, in any mix. Listing reads names only."""

import hashlib
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from data.clip_name import ClipName
from data.errors import DataError, RawFileError, is_away
from data.raw.clip_source import SUFFIX, ClipSource, base_name
from data.raw.zip_file import ZIP_ERRORS, ZipMember, open_zip, require_no_overlap

SKELETONS = (SUFFIX,)  # the endings of files in the layout `ntu`
SHOWN_ARCHIVES = 5
DATASETS_WITH_MISSING_CLIPS = ("ntu60", "ntu120")


def is_clip_file(name: str, endings: tuple[str, ...] = SKELETONS) -> bool:
    """Whether a path in a folder or archive is a raw file. The "._" files that macOS adds are not."""
    base = base_name(name)
    return base.lower().endswith(endings) and not base.startswith("._")


def list_source(path: Path, endings: tuple[str, ...] = SKELETONS) -> Iterator[ClipSource]:
    """Yields every raw file in a folder and its sub-folders, in an archive, or the file itself, in any order.

    Raw files are those with one of `endings`, in small letters. Raises DataError when the path does not exist, is none
    of these, or holds no raw file.
    """
    is_empty = True
    sources: Iterator[ClipSource]
    if path.is_dir():
        sources = (ClipSource(file, status.st_size if status else 0) for file, status in _walk(path, endings))
    else:
        _require_file(path, endings)
        is_clip = is_clip_file(path.name, endings) or (endings != SKELETONS and not zipfile.is_zipfile(path))
        sources = iter([ClipSource(str(path), path.stat().st_size)]) if is_clip else _zip_sources(path, endings)
    for source in sources:
        is_empty = False
        yield source
    if is_empty:
        raise _no_raw_file_error(path, endings)


def archive_of(path: Path) -> Path | None:
    """Returns the archive in a path ARCHIVE.zip/NAME; None when no folder of the path is a file."""
    return next((parent for parent in path.parents if parent.is_file()), None)


def archived_file(path: Path, endings: tuple[str, ...] = SKELETONS) -> ClipSource | None:
    """Returns the raw file at ARCHIVE.zip/NAME; None when there is none. NAME may leave out its first folders.

    Raises DataError when several fit, and as `list_source` does.
    """
    if (archive := archive_of(path)) is None:
        return None
    member = path.relative_to(archive).as_posix()
    fitting = [source for source in list_source(archive, endings) if str(source).endswith(f"/{member}")]
    if len(fitting) > 1:
        raise DataError(f"{path} may be {fitting[0]} and {fitting[1]}; name more of its folders")
    return next(iter(fitting), None)


def _require_file(path: Path, endings: tuple[str, ...]) -> None:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file or folder; dataset.raw names folders, .zip archives or {' or '.join(endings)} files"
        )


def _no_raw_file_error(path: Path, endings: tuple[str, ...]) -> DataError:
    hint = "name another folder or archive"
    if path.is_dir():
        if archives := sorted(file.name for file in path.glob("*.zip")):
            hint = f"it holds {', '.join(archives)}: name each archive"
        elif endings == SKELETONS and (others := _other_files(path)):
            hint = f"it holds {others}: if these are the recordings, give their layout (--layout, dataset.layout; auto "
            hint += "guesses it), else name another folder"
    elif inner := sorted(
        entry.filename for entry in _zip_entries(path, endings) if entry.filename.lower().endswith(".zip")
    ):
        more = f" and {len(inner) - SHOWN_ARCHIVES} more" if len(inner) > SHOWN_ARCHIVES else ""
        hint = f"it holds archives ({', '.join(inner[:SHOWN_ARCHIVES])}{more}): unpack it, and name each of them"
    return DataError(
        f"{path}: holds no {' or '.join(endings)} file; {hint} in dataset.raw, or run `fsvae-pipe preprocess --raw "
        "PATH`"
    )


def _other_files(folder: Path) -> str:
    """Returns how many files have the ending that most files have; "" when none has one."""
    counts = Counter(Path(name).suffix.lower() for name, _ in _walk(folder, ("",)) if Path(name).suffix)
    return "".join(f"{number} {ending} file{'s' * (number > 1)}" for ending, number in counts.most_common(1))


def _walk(root: Path, endings: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yields the raw files below `root` with their status, which is None for a broken link.

    Links to folders are followed, but no folder is visited twice.
    """
    folders, root_status = [str(root)], root.stat()
    visited = {(root_status.st_dev, root_status.st_ino)}
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError as error:
            raise DataError(f"{error.filename}: can't be read ({error.strerror})") from error
        for entry in entries:
            try:
                status = entry.stat()
            except OSError as error:
                if not is_clip_file(entry.name, endings):  # it may be a folder of clips
                    _require_there(entry, error)
                status = None
            if status is not None and stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) not in visited:
                    visited.add((status.st_dev, status.st_ino))
                    folders.append(entry.path)
            elif is_clip_file(entry.name, endings):
                yield entry.path, status


def _require_there(entry: os.DirEntry[str], error: OSError) -> None:
    """Raises DataError when `entry` can't be looked at now, or links to what is away. Hidden ones are editors'."""
    if is_away(error):
        raise DataError(f"{entry.path}: can't be read ({error.strerror})") from error
    if isinstance(error, FileNotFoundError) and entry.is_symlink() and not entry.name.startswith("."):
        raise DataError(
            f"{entry.path}: links to {Path(entry.path).readlink()}, which is not there; it may be a folder of clips: "
            "bring it back (is its disk mounted?), or remove the link"
        ) from error


def _zip_entries(path: Path, endings: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    try:
        with open_zip(path) as archive:
            return archive.infolist()
    except ZIP_ERRORS as error:
        if is_away(error):
            raise DataError(f"{path}: can't be read now ({getattr(error, 'strerror', None) or error})") from error
        raise DataError(
            f"{path}: neither a {' or '.join(endings)} file nor a whole zip archive ({error}); get it again, or name "
            "another one in dataset.raw"
        ) from error


def _zip_sources(path: Path, endings: tuple[str, ...]) -> Iterator[ClipSource]:
    listed = _zip_entries(path, endings)
    entries = [entry for entry in listed if is_clip_file(entry.filename, endings) and not entry.is_dir()]
    del listed  # each entry is freed at once: it takes more memory than the source made from it
    require_no_overlap(path, entries)
    entries.reverse()
    while entries:
        member = ZipMember.of(entries.pop())
        yield ClipSource(str(path), member.num_bytes, member)


def find_clips(
    paths: Sequence[Path], endings: tuple[str, ...] = SKELETONS
) -> tuple[list[tuple[ClipName, ClipSource]], list[RawFileError]]:
    """Returns all clips in `paths`, sorted by name, and one error for each file whose name is not a clip name.

    Raises DataError as `list_source` does, and when two files have the same clip name, also in one archive.
    """
    clips: dict[ClipName, ClipSource] = {}
    misnamed: list[RawFileError] = []
    for path in paths:
        for source in list_source(path, endings):
            try:
                name = ClipName.parse(source.stem)
            except DataError as error:
                misnamed.append(RawFileError(str(source), str(error)))
                continue
            if source.member and str(source) == str(clips.get(name)) and paths.count(path) == 1:
                raise DataError(f"{path}: the archive holds {source.member.name} twice; make it again with one of them")
            if name in clips:
                raise DataError(
                    f"{name} is found twice, as {clips[name]} and as {source}: remove one of them, or name only one of "
                    "the places in dataset.raw"
                )
            clips[name] = source
    return sorted(clips.items(), key=lambda clip: str(clip[0])), sorted(misnamed, key=lambda error: error.file)


@cache
def missing_clips(dataset: str) -> frozenset[str]:
    """Returns the names of the clips whose skeletons are officially missing or incomplete; none for other data sets."""
    if dataset not in DATASETS_WITH_MISSING_CLIPS:
        return frozenset()
    return frozenset(resources.files("data").joinpath(f"missing_{dataset}.txt").read_text("ascii").split())


def fingerprint_source(path: Path, endings: tuple[str, ...] = SKELETONS) -> str:
    """Returns a text that changes when a raw file at `path` is added, removed or changed.

    It is made from names, sizes and modification times; for an archive, from those of the archive itself. Raises
    DataError when the path does not exist, or is a folder without raw files.
    """
    if path.is_dir():
        start = len(str(path)) + 1
        files = sorted((file[start:], status) for file, status in _walk(path, endings))
        if not files:
            raise _no_raw_file_error(path, endings)
        size = f"{len(files)} clips"
    else:
        _require_file(path, endings)
        file_status = path.stat()
        files, size = [(path.name, file_status)], f"{file_status.st_size} bytes"
    digest = hashlib.sha256()
    for name, status in files:
        num_bytes, modified_ns = (status.st_size, status.st_mtime_ns) if status else (-1, -1)
        digest.update(f"{name}\0{num_bytes}\0{modified_ns}\n".encode("utf-8", "surrogateescape"))
    return f"{size}, {digest.hexdigest()[:16]}"
