"""Lines of numbers, read a few hundred at a time. What is no number is refused with its line."""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import RawFileError

MAX_LINE_BYTES = 1 << 17
LINES_AT_ONCE = 512
SHOWN_CHARACTERS = 30
DELIMITERS = (";", ",", "\t")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?", re.ASCII)
_ABSENT = {"", "nan", "na", "n/a", "null", "none", "-nan", "nan(ind)", "-nan(ind)"}


@dataclass(frozen=True)
class Line:
    """A line that is not blank, without its end, and its number in the file, from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Table:
    """Lines as numbers, and as they stand."""

    values: NDArray[np.float64]  # (lines, columns); NaN = an empty or absent field
    lines: NDArray[np.int64]  # (lines,) their numbers
    texts: Sequence[str]


def read_lines(stream: BinaryIO, source: str) -> Iterator[Line]:
    """Yields the lines that are not blank. Raises RawFileError for one that is too long or not UTF-8."""
    number = 0
    while content := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(content) > MAX_LINE_BYTES:
            raise RawFileError(source, f"longer than {MAX_LINE_BYTES} bytes; it is no line of numbers", number)
        if number == 1:
            if content.startswith(UTF_16):
                raise RawFileError(source, "the file is UTF-16; save it as UTF-8")
            content = content.removeprefix(codecs.BOM_UTF8)
        try:
            text = content.decode("utf-8").strip("\r\n ")
        except UnicodeDecodeError:
            raise RawFileError(source, "is not text; the file is damaged, or of another kind", number) from None
        if text.strip():
            yield Line(number, text)


def delimiter_of(line: str) -> str | None:
    """Returns what separates the fields of a line; None = blanks."""
    counts = [line.count(delimiter) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))] if any(counts) else None


def split(line: str, delimiter: str | None) -> list[str]:
    """Returns the fields of a line without quotes and blanks around them."""
    return [field.strip(' "') for field in line.split(delimiter)]


def number_tables(
    lines: Iterator[Line], names: Sequence[str], used: Sequence[int], delimiter: str | None, source: str
) -> Iterator[Table]:
    """Yields the columns `used` of lines that have the columns `names`.

    Raises RawFileError for a line with another number of fields, and for a field that is no number.
    """
    block: list[Line] = []
    for line in lines:
        block.append(line)
        if len(block) == LINES_AT_ONCE:
            yield _table(block, names, used, delimiter, source)
            block = []
    if block:
        yield _table(block, names, used, delimiter, source)


def _table(block: list[Line], names: Sequence[str], used: Sequence[int], delimiter: str | None, source: str) -> Table:
    for line in block:
        count = len(line.text.split()) if delimiter is None else line.text.count(delimiter) + 1
        if count != len(names):
            raise RawFileError(source, f"expected {len(names)} fields, found {count}", line.number)
    texts = [line.text for line in block]
    try:
        values = np.loadtxt(texts, delimiter=delimiter, usecols=list(used), comments=None, ndmin=2)  # (lines, columns)
    except ValueError:  # an empty field, a quoted one, or one that is no number
        values = np.array([_slowly(line, names, used, delimiter, source) for line in block])
    return Table(values, np.array([line.number for line in block], np.int64), texts)


def _slowly(line: Line, names: Sequence[str], used: Sequence[int], delimiter: str | None, source: str) -> list[float]:
    fields = split(line.text, delimiter)
    return [_number(fields[column], names[column], line, source) for column in used]


def _number(field: str, name: str, line: Line, source: str) -> float:
    if field.lower() in _ABSENT:
        return np.nan
    if _NUMBER.fullmatch(field):
        return float(field)
    shown = field[:SHOWN_CHARACTERS].encode("ascii", "backslashreplace").decode()
    hint = "; write decimals with a point" if _NUMBER.fullmatch(field.replace(",", ".")) else ""
    raise RawFileError(source, f'{name}: expected a number, found "{shown}"{hint}', line.number)
