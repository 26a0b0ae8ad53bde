"""`fsvae-pipe manifest`: begins a manifest, the CSV that says which part of which recording is which clip."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.clip_name import ClipName
from data.clips.labels import Label, read_labels, recording_of
from data.clips.manifest import COLUMNS
from data.errors import DataError, RawFileError
from data.protocol_list import CAMERAS, VIDEO
from data.raw.clip_source import ClipSource
from data.raw.sources import list_source
from data.stores.files import replacing
from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import PipelineError, printable

Row = dict[str, str | int]
NAMES = (  # what the names of known data sets say
    VIDEO,  # PKU-MMD: video, camera
    re.compile(r"a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<replication>\d+)(_.*)?"),  # MSR-Action3D
    re.compile(r"(.*_)?s(?P<subject>\d+)_e(?P<setup>\d+)"),  # UTKinect: subject, recording
)


def manifest(
    raw: Sequence[Path], endings: tuple[str, ...], labels: Sequence[Path], output: Path
) -> tuple[int, list[RawFileError]]:
    """Write a manifest to `output` with a row for each file in `raw`, or for each clip that `labels` tell of.

    `labels` are label files of PKU-MMD or UTKinect, or folders of them. Returns the number of rows and the lines of
    labels that were left out. Raises DataError or PipelineError when there is nothing to write, or `output` exists.
    """
    if output.exists():
        raise PipelineError(f"{output} exists already; name another file with -o, or remove it")
    files = sorted((source for path in raw for source in list_source(path, endings)), key=str)
    refused: list[RawFileError] = []
    rows = list(_labelled(files, labels, output.parent, refused) if labels else _unlabelled(files, output.parent))
    if not rows:
        raise DataError(f"none of the labels is of a clip in {', '.join(map(str, raw))}; the first: {refused[0]}")
    wanted = ("file",) if all("clip" in row for row in rows) else ("file", "action", "subject")
    used = [column for column in COLUMNS if column in wanted or any(column in row for row in rows)]
    with replacing(output) as place, place.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(used)
        table.writerows(cells([row.get(column, "") for column in used]) for row in rows)
    return len(rows), refused


def _unlabelled(files: Sequence[ClipSource], folder: Path) -> Iterator[Row]:
    """Yield a row for each file, with what its name tells."""
    for file in files:
        yield {"file": _shown(file, folder), **_told_by_name(file.stem)}


def _labelled(
    files: Sequence[ClipSource], labels: Sequence[Path], folder: Path, refused: list[RawFileError]
) -> Iterator[Row]:
    """Yield a row for each clip of the labels. Those without a recording are added to `refused`."""
    by_stem = {file.stem: file for file in files}
    if len(by_stem) < len(files):
        raise DataError("two raw files have one name, so that labels can't tell them apart; name one folder of them")
    for path in _label_files(labels):
        read, bad = read_labels(path)
        refused += bad
        for label in read:
            stem = recording_of(label, list(by_stem))
            if stem is None:
                refused.append(RawFileError(label.source, f"no raw file is {label.recording}", label.line))
            else:
                yield _row(label, by_stem[stem], folder)


def _row(label: Label, file: ClipSource, folder: Path) -> Row:
    told = _told_by_name(file.stem)
    told.pop("clip", None)
    span = {"start_frame": label.start_frame, "end_frame": label.end_frame}
    return {"file": _shown(file, folder), **told, "action": label.action, **span}


def _label_files(labels: Sequence[Path]) -> list[Path]:
    return [
        file
        for path in labels
        for file in (sorted(inner for inner in path.iterdir() if inner.is_file()) if path.is_dir() else [path])
    ]


def _told_by_name(stem: str) -> Row:
    """Return the columns that a file's name tells: NTU's, or that of a known data set."""
    try:
        return {"clip": str(ClipName.parse(stem))}
    except DataError:
        pass
    for pattern in NAMES:
        if match := pattern.fullmatch(stem):
            return {key: CAMERAS.get(text) or int(text) for key, text in match.groupdict().items()}
    return {}


def _shown(file: ClipSource, folder: Path) -> str:
    """Return the path of a file as the manifest in `folder` has it.

    Raises DataError when its name is no text that a CSV file can hold.
    """
    path, base = Path(str(file)).absolute(), folder.absolute()
    shown = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
    if printable(shown) != shown:
        raise DataError(f"{printable(shown)}: a manifest can't hold this name; rename the file")
    return f"./{shown}" if cells([shown]) != [shown] else shown  # a spreadsheet would take it for a formula
