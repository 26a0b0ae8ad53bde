"""`fsvae-pipe convert`: recordings of any layout -> .skeleton files with NTU names, and names.csv."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from data.clip_name import MAX_NUMBER, ClipName
from data.errors import DataError, RawFileError
from data.joints import KINECT_FPS
from data.raw.skeleton_file import format_clip
from data.raw.sources import list_source
from data.recordings.find_parts import RawClips, find_parts, parts_of
from data.recordings.read_clip import ClipReader, RawPart, Reading, findings_of
from data.stores.files import replacing
from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import PipelineError

NAMES = "names.csv"


@dataclass
class Converted:
    """What was written: clips, those that could not be read, and what seems wrong with the others.

    `unnamed` is the first file without a clip name where clips were counted for want of names; else "".
    """

    clips: int
    refused: list[RawFileError]
    warnings: list[str]
    unnamed: str = ""


def convert(clips: RawClips, reading: Reading, folder: Path) -> Converted:
    """Write each clip to `folder` as NAME.skeleton, at 30 frames a second, and names.csv: which clip is which file.

    Names are those of the manifest or of the files. Files without clip names are counted: they become replications of
    the action A001. Raises DataError or PipelineError when nothing can be listed, no clip could be read, or `folder`
    has files in it already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PipelineError(f"{folder} has files in it already; name another folder with -o")
    reading = replace(reading, to_fps=KINECT_FPS)
    reader = ClipReader(reading)
    named, unnamed = _named(clips)
    converted = Converted(0, [], [], unnamed)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / NAMES) as place, place.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("clip", "file", "frames", "fps", "notes"))
        for name, part in named:
            try:
                read = reader.read(part)
                content = format_clip(read.clip.joints)
            except DataError as error:
                converted.refused.append(
                    error if isinstance(error, RawFileError) else RawFileError(str(part), str(error))
                )
                continue
            _write(folder / f"{name}.skeleton", content)
            table.writerow(cells((name, part, read.clip.frames, f"{read.fps:g}", " | ".join(map(str, read.notes)))))
            converted.warnings += [f"{name}: {finding}" for finding in findings_of(read, reading)]
            converted.clips += 1
        if not converted.clips:
            raise PipelineError(f"no clip could be read, the first because: {converted.refused[0]}")
    return converted


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as place:
        place.write_bytes(content)


def _named(clips: RawClips) -> tuple[Iterable[tuple[ClipName, RawPart]], str]:
    """Return the clips with their names, and the first without a name of its own: then all are counted."""
    if clips.manifest is not None:
        return find_parts(clips)[0], ""
    parts = [
        part
        for path in clips.raw
        for file in sorted(list_source(path, clips.layout.endings), key=str)
        for part in parts_of(file, clips.layout)
    ]
    named: list[tuple[ClipName, RawPart]] = []
    for part in parts:
        try:
            named.append((ClipName.parse(part.annotation.name if part.annotation else part.file.stem), part))
        except DataError:
            return zip(_counted(), parts, strict=False), str(part)
    if len({name for name, _ in named}) < len(named):
        twice = next(name for name, number in Counter(name for name, _ in named).items() if number > 1)
        places = " and as ".join(str(part) for name, part in named if name == twice)
        raise DataError(f"{twice} is found twice, as {places}; name one of them")
    return named, ""


def _counted() -> Iterator[ClipName]:
    """Yield names without end, of one action and one subject."""
    for setup in count(1):
        for replication in range(1, MAX_NUMBER + 1):
            yield ClipName(setup, 1, 1, replication, 1)
