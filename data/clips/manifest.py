"""clips.csv, the manifest: which part of which recording is which clip.

The header names columns; only `file` is needed:

    file                       path, relative to the manifest's folder, or the end of a path in dataset.raw;
                               in an archive, ARCHIVE.zip/NAME
    part                       the clip's name inside of a file that holds many named clips (pyskl)
    clip                       a clip name, S001C001P001R001A001, which says the next five
    action                     A011, a number, or a label of the descriptions
    subject, camera, setup     numbers from 1; 1 where not known
    replication                a number; else clips that are equal in all others are counted from 1
    start_frame, end_frame     the first and last frame of the clip, as the source numbers frames
    start_s, end_s             the same in seconds from the start of the recording
    fps                        frames a second of this recording

Columns are separated by commas, or by semicolons, as spreadsheets of many countries write them, then with decimal
commas.
"""

import csv
import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.clip_name import MAX_NUMBER, ClipName
from data.clips.span import Span
from data.errors import DataError

NUMBERS = ("action", "subject", "camera", "setup", "replication")
COLUMNS = ("file", "part", "clip", *NUMBERS, "start_frame", "end_frame", "start_s", "end_s", "fps")
MAX_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One clip: the file that holds it, and what is known of it. `fps` 0 = the recording or its layout says."""

    name: ClipName
    file: str
    line: int
    part: str = ""
    span: Span | None = None
    fps: float = 0.0


def read_manifest(path: Path, action_of_label: Mapping[str, int]) -> list[ManifestRow]:
    """Read the manifest at `path`.

    `action_of_label` has the labels of the descriptions, in small letters; 0 = several actions have it.

    Raises DataError with the line of the first fault, also when two rows are the same clip, by name or by place.
    """
    rows: list[ManifestRow] = []
    lines: dict[ClipName, int] = {}
    places: dict[tuple[str, str, Span | None], int] = {}
    counts: Counter[tuple[int, ...]] = Counter()
    for line, cells in _cells(path):
        try:
            row = _row(cells, line, action_of_label, counts)
        except DataError as error:
            raise DataError(f"{path}, line {line}: {error}") from None
        if row.name in lines:
            raise DataError(f"{path}, line {line}: {row.name} is also the clip of line {lines[row.name]}")
        place = row.file, row.part, row.span
        if place in places:
            what = "the same frames of it" if row.span else "all of it"
            raise DataError(
                f"{path}, line {line}: {row.file} stands in line {places[place]} too, with {what}; a clip has one row"
            )
        lines[row.name] = places[place] = line
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: has no row; a manifest has a row for each clip, under the header {_header()}")
    return rows


def first_row_file(path: Path) -> tuple[str, int]:
    """Return the file that the first row names, and its line. Raises DataError when there is no row with a file."""
    for line, cells in _cells(path):
        if "file" in cells:
            return cells["file"], line
    raise DataError(f"{path}: has no row that names a file, under the header {_header()}")


def labels_in(path: Path) -> dict[str, int]:
    """Return the actions that are words, each with a number of its own, in the order in which they first appear.

    Numbers that other rows give are left out. This begins the descriptions of a manifest in words.
    """
    texts = dict.fromkeys(cells["action"] for _, cells in _cells(path) if "action" in cells)
    taken = set(map(_action_number, texts))
    free = (number for number in range(1, MAX_NUMBER + 1) if number not in taken)
    words: dict[str, str] = {}
    for text in texts:
        if not _action_number(text):
            words.setdefault(text.lower(), text)
    return dict(zip(words.values(), free, strict=False))


def rows_without(column: str, path: Path) -> tuple[int, int]:
    """Return how many rows tell nothing of a number such as `subject`, and how many there are."""
    rows = _cells(path)
    return sum(column not in cells and "clip" not in cells for _, cells in rows), len(rows)


def _header() -> str:
    return ",".join(COLUMNS)


def _cells(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the line and the non-empty cells of each row."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes, which is too large for a manifest")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); dataset.manifest names a CSV of clips") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    head = text.lstrip().partition("\n")[0]
    semicolons = ";" in head and "," not in head
    reader = csv.reader(text.splitlines(), strict=True, delimiter=";" if semicolons else ",")
    rows: list[tuple[int, dict[str, str]]] = []
    header: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                _check_header(path, header)
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under a header of {len(header)}; put a text "
                    f"with a {'semicolon' if semicolons else 'comma'} into quotation marks"
                )
            filled = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
            rows.append((reader.line_num, filled))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from error
    return rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1})
    if unknown or twice or "file" not in header:
        fault = (
            f"unknown columns {', '.join(unknown)}" if unknown else f"{', '.join(twice)} twice" if twice else "no file"
        )
        raise DataError(f"{path}, line 1: {fault} in the header; the columns are {_header()}, of which file is needed")


def _row(
    cells: Mapping[str, str], line: int, action_of_label: Mapping[str, int], counts: Counter[tuple[int, ...]]
) -> ManifestRow:
    if "file" not in cells:
        raise DataError("no file; each row names the recording that holds the clip")
    if "clip" in cells:
        name = ClipName.parse(cells["clip"])
        if given := [column for column in NUMBERS if column in cells]:
            raise DataError(f"both clip and {', '.join(given)}; the clip's name says them already")
    else:
        name = _name(cells, action_of_label, counts)
    fps = _number(cells, "fps")
    if fps is not None and not 0 < fps <= 1000:
        raise DataError(f"fps is {cells['fps']}; a recording has more than 0 and at most 1000 frames a second")
    return ManifestRow(name, cells["file"], line, cells.get("part", ""), _span(cells), fps or 0.0)


def _name(cells: Mapping[str, str], action_of_label: Mapping[str, int], counts: Counter[tuple[int, ...]]) -> ClipName:
    if "action" not in cells:
        raise DataError("neither clip nor action; name the action, as A011 or by its label")
    action = _action(cells["action"], action_of_label)
    setup, camera, subject = (_whole(cells, column) for column in ("setup", "camera", "subject"))
    if "replication" in cells:
        replication = _whole(cells, "replication", least=0)
    else:
        counts[setup, camera, subject, action] += 1
        replication = counts[setup, camera, subject, action]
        if replication > MAX_NUMBER:
            raise DataError(
                f"more than {MAX_NUMBER} clips of one action, subject, camera and setup; give them different setups"
            )
    return ClipName(setup, camera, subject, replication, action)


def _action(text: str, action_of_label: Mapping[str, int]) -> int:
    if number := _action_number(text):
        return number
    if action := action_of_label.get(text.lower()):
        return action
    if text.lower() in action_of_label:
        raise DataError(f'the label "{text}" is that of several actions; write the number of one, as A011')
    labels = ", ".join(sorted(action_of_label)[:10])
    close = difflib.get_close_matches(text.lower(), action_of_label, n=1)
    meant = f'do you mean "{close[0]}"?' if close else f"labels are {labels}"
    raise DataError(
        f'the action "{text}" is neither a number from 1 to {MAX_NUMBER} nor a label of the descriptions; '
        + (meant if labels else "there are none yet: `fsvae-pipe texts --init` begins them")
    )


def _action_number(text: str) -> int:
    """Return the number of an action that is written as 11 or A011, else 0."""
    digits = text[1:] if text[:1] in ("A", "a") else text
    return int(digits) if digits.isdecimal() and digits.isascii() and 1 <= int(digits[:9]) <= MAX_NUMBER else 0


def _whole(cells: Mapping[str, str], column: str, least: int = 1) -> int:
    text = cells.get(column, "1")
    if not (text.isdecimal() and text.isascii() and least <= int(text) <= MAX_NUMBER):
        raise DataError(f'{column} is "{text}"; a number from {least} to {MAX_NUMBER} is wanted')
    return int(text)


def _span(cells: Mapping[str, str]) -> Span | None:
    by_frame, by_second = (_ends(cells, unit) for unit in ("frame", "s"))
    if by_frame and by_second:
        raise DataError("start and end are given both in frames and in seconds; give one of them")
    ends = by_frame or by_second
    return Span(*ends, in_seconds=bool(by_second)) if ends else None


def _ends(cells: Mapping[str, str], unit: str) -> tuple[float, float] | None:
    start, end = (_number(cells, f"{which}_{unit}") for which in ("start", "end"))
    if start is None and end is None:
        return None
    start, end = 0.0 if start is None else start, math.inf if end is None else end
    if start > end:
        raise DataError(f"the clip ends at {end:g} before it starts at {start:g}")
    return start, end


def _number(cells: Mapping[str, str], column: str) -> float | None:
    if column not in cells:
        return None
    try:
        number = float(cells[column].replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise DataError(f'{column} is "{cells[column]}"; a number from 0 is wanted')
    return number
