"""Cells of the CSV files that the program writes, from words that are not its own.

A clip's name, a label or a line of a raw file may come from anyone. Opened in a spreadsheet, a cell that begins with
= + - @ is run as a formula; shown in a terminal, control characters steer it. So text gets an apostrophe before such a
beginning, as spreadsheets hide it, and control characters are written escaped. Numbers stay as they are. What a program
wants to read back exactly, it takes from the JSON forms.
"""

import re
from collections.abc import Iterable
from typing import Any

from pipeline.messages.errors import printable

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # full-width forms count as well
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cells(row: Iterable[Any]) -> list[Any]:
    """A row for `csv.writer`: texts as they may stand in a spreadsheet and a terminal, the rest unchanged."""
    return [_text(cell) if isinstance(cell, str) else cell for cell in row]


def _text(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if FORMULA.match(shown) and not NUMBER.fullmatch(shown) else shown
