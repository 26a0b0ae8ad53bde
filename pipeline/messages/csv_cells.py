"""Makes texts of others harmless in the CSV files that the program writes.

A clip's name, a label or a line of a raw file may come from anyone. A spreadsheet runs a cell that begins with = + - @
as a formula, and control characters steer a terminal. Therefore such a cell gets an apostrophe in front, which
spreadsheets hide, and control characters are escaped. Numbers stay as they are. A program that needs the exact texts
reads the JSON forms.
"""

import re
from collections.abc import Iterable
from typing import Any

from pipeline.messages.errors import printable

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # full-width forms count as well
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cells(row: Iterable[Any]) -> list[Any]:
    """Return `row` for `csv.writer` with its texts made harmless; other values stay as they are."""
    return [_harmless(cell) if isinstance(cell, str) else cell for cell in row]


def _harmless(text: str) -> str:
    escaped = printable(text)
    return f"'{escaped}" if FORMULA.match(escaped) and not NUMBER.fullmatch(escaped) else escaped
