"""Finds which clip is in which recording: by the names of files, or by the rows of a manifest."""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath

from data.clip_name import ClipName
from data.clips.manifest import ManifestRow, first_row_file, read_manifest
from data.errors import DataError, RawFileError
from data.layouts.layout import Layout, layout_names, load_layout
from data.raw.clip_source import ClipSource
from data.raw.sources import archive_of, archived_file, find_clips, fingerprint_source, list_source
from data.recordings.annotations import read_annotations
from data.recordings.read_clip import RawPart

FILES_TO_GUESS_BY = 10  # a folder may hold a text that tells of the recordings, before them in the order of names


@dataclass(frozen=True)
class RawClips:
    """Where the raw clips of a data set are.

    raw: folders, archives and files. manifest: the CSV that says what is which clip; None = the files' names do.
    labels: the action of each label of the descriptions, in small letters.
    """

    raw: Sequence[Path]
    layout: Layout
    manifest: Path | None = None
    labels: Mapping[str, int] = field(default_factory=dict)


def find_parts(clips: RawClips) -> tuple[list[tuple[ClipName, RawPart]], list[RawFileError]]:
    """Return all clips, sorted by name, and an error for each file that holds none by its name.

    Raises DataError when nothing can be listed, when two files or rows are the same clip, and when a file that the
    manifest names is not there.
    """
    if clips.manifest is None and clips.layout.kind == "pickle":
        return _annotated(clips)
    if clips.manifest is None:
        named, misnamed = find_clips(clips.raw, clips.layout.endings)
        if not named and misnamed:
            raise DataError(
                f"none of {len(misnamed)} raw files has a clip's name (the first: {misnamed[0]}); name them so, or say "
                "what each is in a manifest, which `fsvae-pipe manifest` begins"
            )
        return [(name, RawPart(source)) for name, source in named], misnamed
    rows = read_manifest(clips.manifest, clips.labels)
    files = _Files(clips)
    parts = [(row.name, files.part_of(row)) for row in rows]
    return sorted(parts, key=lambda part: str(part[0])), []


def first_files(raw: Sequence[Path], manifest: Path | None) -> list[ClipSource]:
    """Return raw files to guess a layout by: the first of a manifest, or the first ones of the first folder or archive.

    Files of all layouts are listed. Raises DataError when there is none.
    """
    if manifest is not None:
        layout = load_layout(layout_names()[0]).model_copy(update={"endings": all_endings()})
        return [_Files(RawClips(raw, layout, manifest)).of(*first_row_file(manifest))]
    for path in raw:
        if not path.exists() and (file := archived_file(path, all_endings())):
            return [file]
        return heapq.nsmallest(FILES_TO_GUESS_BY, list_source(path, all_endings()), key=str)
    raise DataError("no raw file is named, so that no layout can be guessed; name one in dataset.raw")


@cache
def all_endings() -> tuple[str, ...]:
    """Return the endings of files of all built-in layouts, sorted."""
    return tuple(sorted({ending for name in layout_names() for ending in load_layout(name).endings}))


def parts_of(file: ClipSource, layout: Layout | None) -> list[RawPart]:
    """Return the clips in a file: one, or all of a file that holds many. Raises RawFileError when it is broken."""
    if layout is None or layout.kind != "pickle":
        return [RawPart(file)]
    with file.opened() as stream:
        return [RawPart(file, clip) for clip in read_annotations(stream, str(file), layout).clips]


def _annotated(clips: RawClips) -> tuple[list[tuple[ClipName, RawPart]], list[RawFileError]]:
    """Return the clips of files that hold many, by their names in there."""
    named: dict[ClipName, RawPart] = {}
    misnamed: list[RawFileError] = []
    for path in clips.raw:
        for file in list_source(path, clips.layout.endings):
            for part in parts_of(file, clips.layout):
                try:
                    name = ClipName.parse(part.annotation.name if part.annotation else file.stem)
                except DataError as error:
                    misnamed.append(RawFileError(str(part), str(error)))
                    continue
                if name in named:
                    raise DataError(f"{name} is found twice, as {named[name]} and as {part}; keep one of them")
                named[name] = part
    return sorted(named.items(), key=lambda part: str(part[0])), misnamed


class _Files:
    """The files that a manifest names: of dataset.raw, or beside the manifest."""

    def __init__(self, clips: RawClips) -> None:
        self._manifest = clips.manifest or Path()
        self._endings = clips.layout.endings
        self._layout = clips.layout
        self._known: dict[str, ClipSource] = {}
        self._parts: dict[ClipSource, dict[str, RawPart]] = {}
        self._by_base: dict[str, list[ClipSource]] = defaultdict(list)
        self._listed: set[Path] = set()
        for path in clips.raw:
            self._list(path)

    def _list(self, path: Path) -> None:
        """Take the files at a path, once."""
        if (place := path.resolve()) not in self._listed:
            self._listed.add(place)
            for source in list_source(path, self._endings):
                self._by_base[PurePosixPath(_posix(str(source))).name].append(source)

    def part_of(self, row: ManifestRow) -> RawPart:
        """The clip of a row. Raises DataError when its file, or the part in it, is not there."""
        file = self.of(row.file, row.line)
        if not row.part:
            return RawPart(file, None, row.span, row.fps)
        if file not in self._parts:
            parts = parts_of(file, self._layout)
            self._parts[file] = {part.annotation.name: part for part in parts if part.annotation}
        if row.part not in self._parts[file]:
            few = ", ".join(list(self._parts[file])[:3]) or "none"
            raise DataError(f"{self._where(row.line)}: {row.file} holds no clip {row.part} (it holds {few}, ...)")
        return replace(self._parts[file][row.part], span=row.span, fps=row.fps)

    def of(self, name: str, line: int) -> ClipSource:
        """The file that a line of the manifest names. Raises DataError when there is none, or there are several."""
        if name not in self._known:
            self._known[name] = self._find(name, line)
        return self._known[name]

    def _find(self, name: str, line: int) -> ClipSource:
        for spelt in (name, _posix(name)):  # a backslash may be a folder of Windows, or a part of a name
            path = self._manifest.parent / spelt
            if path.is_file():
                return ClipSource(str(path), path.stat().st_size)
            if archive := archive_of(path):
                self._list(archive)
        wanted = PurePosixPath(_posix(name))
        matches = [
            source
            for source in self._by_base.get(wanted.name, [])
            if PurePosixPath(_posix(str(source))).parts[-len(wanted.parts) :] == wanted.parts
        ]
        if len(matches) > 1:
            places = " and ".join(str(source) for source in matches[:2])
            raise DataError(f"{self._where(line)}: {name} may be {places}; name more of its folders")
        if matches:
            return matches[0]
        raise DataError(
            f"{self._where(line)}: {name} is neither in dataset.raw nor a file beside the manifest "
            f"({self._manifest.parent / name})"
        )

    def _where(self, line: int) -> str:
        return f"{self._manifest}, line {line}"


def _posix(path: str) -> str:
    return path.replace("\\", "/")


def fingerprint_manifest(clips: RawClips) -> Mapping[str, str]:
    """Return fingerprints of the manifest's contents, of its clips' names, and of its files outside of dataset.raw.

    The names change with the descriptions, whose labels may stand in the manifest.

    Raises DataError as `find_parts` does.
    """
    if clips.manifest is None:
        return {}
    parts, _ = find_parts(clips)
    in_raw = {source.path for path in clips.raw for source in list_source(path, clips.layout.endings)}
    beside = sorted({Path(part.file.path) for _, part in parts if part.file.path not in in_raw})
    return {
        "manifest": hashlib.sha256(clips.manifest.read_bytes()).hexdigest(),
        "actions of the manifest": hashlib.sha256("\n".join(str(name) for name, _ in parts).encode()).hexdigest(),
        **({"files of the manifest": _digest(beside, clips.layout.endings)} if beside else {}),
    }


def _digest(files: Iterable[Path], endings: tuple[str, ...]) -> str:
    texts = [f"{file.name} {fingerprint_source(file, endings)}" for file in files]
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()
