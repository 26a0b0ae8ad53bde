"""Reads description files: one row for each action, with its texts at three levels.

A file is a CSV in UTF-8 with the columns action (A001), label, local and global, in any order:

    action,label,local,global
    A001,drink water,"One hand rises from the waist to the mouth, ...","A person stands still and ..."

README.md in this folder says how to write the texts. Files are read with the csv module. pandas does not say on which
line a row begins, and silently mends or skips faults that are reported here.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS

COLUMNS = ("action", *LEVELS)
BUILTIN = ("ntu120", "pku51", "demo")
MAX_BYTES = 1 << 26
MAX_PROBLEMS = 100
SHOWN_CHARACTERS = 40
UNDECODED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of bytes that are not UTF-8

Texts = dict[int, dict[str, str]]  # action (from 1) -> level -> text


@dataclass(frozen=True)
class Problem:
    """A fault in a description file, with its line, counted from 1."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True)
class DescriptionFile:
    """The valid rows of a file, the line on which each action begins, and every problem of the other rows.

    `labels` also has those of rows whose other texts are still to be written.
    """

    texts: Texts
    lines: Mapping[int, int]  # action -> line
    problems: Sequence[Problem]
    labels: Mapping[int, str] = field(default_factory=dict)  # action -> label


def read_descriptions(path: Path) -> Texts:
    """Reads the texts of `path`, sorted by action, without spaces around them.

    Raises DescriptionError, which lists every problem of the file with its line.
    """
    file = inspect_descriptions(path)
    if file.problems:
        raise DescriptionError(f"{path}: {listed(file.problems)}; {wanted()}")
    return file.texts


def builtin_descriptions(name: str) -> Texts:
    """Reads the built-in texts `name`: "ntu120" (its first 60 actions are NTU RGB+D 60), "pku51" or "demo".

    Raises DescriptionError for any other name.
    """
    if name not in BUILTIN:
        raise DescriptionError(f'there are no built-in texts called "{name}"; there are {", ".join(BUILTIN)}')
    with resources.as_file(resources.files("descriptions").joinpath(f"{name}.csv")) as path:
        return read_descriptions(path)


def inspect_descriptions(path: Path) -> DescriptionFile:
    """Reads the valid rows of `path` and lists every problem.

    Raises DescriptionError when the file can't be read or is too large.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DescriptionError(
            f"{path}: can't be read ({error.strerror}); dataset.descriptions names a CSV with the columns "
            f"{','.join(COLUMNS)}, and `fsvae-pipe texts --init` writes one to start from"
        ) from error
    if len(raw) > MAX_BYTES:
        raise DescriptionError(f"{path}: has more than {MAX_BYTES} bytes, too large for descriptions of actions")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return DescriptionFile({}, {}, [Problem(1, "the file is UTF-16; save it as UTF-8")])
    return _parse(raw.decode("utf-8-sig", errors="surrogateescape"))


def listed(problems: Sequence[object]) -> str:
    """Joins the first problems for a message, and says how many more there are."""
    more = [f"and {len(problems) - MAX_PROBLEMS} more"] if len(problems) > MAX_PROBLEMS else []
    return "; ".join([*map(str, problems[:MAX_PROBLEMS]), *more])


def wanted() -> str:
    """Returns what a description file must look like, for the end of a message."""
    return f"write one row for each action with the columns {','.join(COLUMNS)}, the action as A001, in UTF-8"


def _parse(content: str) -> DescriptionFile:
    rows, problems = _rows(content)
    if not rows:
        return DescriptionFile({}, {}, problems or [Problem(1, "the file is empty")])
    header = [name.strip() for name in rows[0][1]]
    if len(header) == 1 and ";" in header[0]:
        return DescriptionFile({}, {}, [Problem(rows[0][0], "the columns are separated by semicolons; use commas")])
    problems += [Problem(rows[0][0], message) for message in _header_faults(header)]
    if not set(COLUMNS) <= set(header):
        return DescriptionFile({}, {}, problems)
    texts: Texts = {}
    lines: dict[int, int] = {}
    labels: dict[int, str] = {}
    for line, cells in rows[1:]:
        faults, action, row = _row(header, cells)
        if action in lines:
            faults.append(f"A{action:03d} is already described in line {lines[action]}")
        elif action:
            lines[action] = line
            if row["label"]:
                labels[action] = row["label"]
        if not faults:
            texts[action] = row
        problems += [Problem(line, fault) for fault in faults]
    if len(rows) == 1:
        problems.append(Problem(rows[0][0], "no action follows the header"))
    in_order = sorted(problems, key=lambda problem: problem.line)
    return DescriptionFile(dict(sorted(texts.items())), lines, in_order, labels)


def _rows(content: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Splits CSV into rows, each with the line on which it begins. Skips blank rows, and stops where it is not CSV."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        return rows, [Problem(line, f"not valid CSV ({error}); nothing after it was read")]
    return rows, []


def _header_faults(header: Sequence[str]) -> Iterator[str]:
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            yield f'unknown column "{_shown(name)}"'
        elif header.count(name) > 1:
            yield f"column {name} occurs {header.count(name)} times"
    for name in COLUMNS:
        if name not in header:
            yield f"column {name} is missing"


def _shown(text: str) -> str:
    """Returns an unexpected cell, shortened, for a message."""
    text = UNDECODED.sub("?", text)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _row(header: Sequence[str], cells: Sequence[str]) -> tuple[list[str], int, dict[str, str]]:
    """Returns a row's faults, its action (0 when it is not an action) and its texts."""
    faults = []
    if len(cells) != len(header):
        faults.append(f"{len(cells)} fields, but the header has {len(header)} (a text with a comma needs quotes)")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    name = row.get("action", "")
    action = int(name[1:]) if re.fullmatch(r"A[0-9]{3}", name) else 0
    if action == 0:
        faults.append(f'action "{_shown(name)}" is not written like A001')
    for level in LEVELS:
        if level in row and not row[level]:
            faults.append(f"{level} is empty")
        if UNDECODED.search(row.get(level, "")):
            faults.append(f"{level} is not UTF-8")
        if "\0" in row.get(level, ""):
            faults.append(f"{level} contains a NUL character")
    return faults, action, {level: row.get(level, "") for level in LEVELS}
