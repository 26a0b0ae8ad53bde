"""Finds which clip is in which recording: by the names of files, or by the rows of a manifest."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from data.clip_name import ClipName
from data.errors import DataError, RawFileError
from data.layouts.layout import Layout
from data.raw.clip_source import ClipSource
from data.raw.sources import find_clips, fingerprint_source, list_source
from data.recordings.manifest import ManifestRow, read_manifest
from data.recordings.read_clip import RawPart


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
    parts = [(row.name, RawPart(files.of(row), row.part, row.span, row.fps)) for row in rows]
    return sorted(parts, key=lambda part: str(part[0])), []


class _Files:
    """The files that a manifest names: of dataset.raw, or beside the manifest."""

    def __init__(self, clips: RawClips) -> None:
        self._manifest = clips.manifest or Path()
        self._endings = clips.layout.endings
        self._known: dict[str, ClipSource] = {}
        self._by_base: dict[str, list[ClipSource]] = defaultdict(list)
        for path in clips.raw:
            for source in list_source(path, self._endings):
                self._by_base[PurePosixPath(_posix(str(source))).name].append(source)

    def of(self, row: ManifestRow) -> ClipSource:
        """The file of a row. Raises DataError when there is none, or there are several."""
        if row.file not in self._known:
            self._known[row.file] = self._find(row)
        return self._known[row.file]

    def _find(self, row: ManifestRow) -> ClipSource:
        wanted = PurePosixPath(_posix(row.file))
        matches = [
            source
            for source in self._by_base.get(wanted.name, [])
            if PurePosixPath(_posix(str(source))).parts[-len(wanted.parts) :] == wanted.parts
        ]
        if len(matches) > 1:
            places = " and ".join(str(source) for source in matches[:2])
            raise DataError(f"{self._where(row)}: {row.file} may be {places}; name more of its folders")
        if matches:
            return matches[0]
        path = self._manifest.parent / row.file
        if path.is_file():
            return ClipSource(str(path), path.stat().st_size)
        raise DataError(
            f"{self._where(row)}: {row.file} is neither in dataset.raw nor a file beside the manifest ({path})"
        )

    def _where(self, row: ManifestRow) -> str:
        return f"{self._manifest}, line {row.line}"


def _posix(path: str) -> str:
    return path.replace("\\", "/")


def fingerprint_manifest(clips: RawClips) -> Mapping[str, str]:
    """Return a fingerprint of the manifest's contents, and one of the files that it names outside of dataset.raw.

    Raises DataError as `find_parts` does.
    """
    if clips.manifest is None:
        return {}
    parts, _ = find_parts(clips)
    in_raw = {source.path for path in clips.raw for source in list_source(path, clips.layout.endings)}
    beside = sorted({Path(part.file.path) for _, part in parts if part.file.path not in in_raw})
    return {
        "manifest": hashlib.sha256(clips.manifest.read_bytes()).hexdigest(),
        **({"files of the manifest": _digest(beside, clips.layout.endings)} if beside else {}),
    }


def _digest(files: Iterable[Path], endings: tuple[str, ...]) -> str:
    texts = [f"{file.name} {fingerprint_source(file, endings)}" for file in files]
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()
