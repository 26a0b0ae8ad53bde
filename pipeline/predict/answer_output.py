"""The answers to clips as a table, JSON lines or CSV, written as they come."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import printable
from pipeline.predict.action_bank import NONE_OF_THESE
from pipeline.predict.answers import Answer, Ranked
from pipeline.predict.clip_stream import Unread

Form = Literal["table", "json", "csv"]
TABLE_CLIPS = 64  # rows that are laid out together
PLAIN_WIDTH = 120  # columns, where standard output is no terminal
CLIP_WIDTH, ACTION_WIDTH, GATE_WIDTH = 21, 14, 6  # columns of the table; the second is the least of an action

Outcome = Answer | Unread


def write_json(outcomes: Iterable[Outcome], top: int, output: TextIO, warnings: Sequence[str] = ()) -> None:
    """One object a line: {"clip", "actions": [{"action", "label", "kind", "probability"}], "unseen_probability"}.

    An answer that may be wrong has "warnings" as well: `warnings` about every answer, then those about its clip. A clip
    that is not as it was recorded has "notes" about what was done to read it.
    A clip that could not be read is {"clip", "error"}.
    """
    for item in outcomes:
        if isinstance(item, Unread):
            row: dict[str, object] = {"clip": item.clip, "error": item.reason}
        else:
            row = {"clip": item.clip, "actions": [_plain(ranked) for ranked in item.ranked[:top]]}
            if item.unseen_probability is not None:
                row["unseen_probability"] = round(item.unseen_probability, 6)
            if about := [*warnings, *item.warnings]:
                row["warnings"] = about
            if item.none_of_these is not None:
                row["none_of_these"] = item.none_of_these
            if item.notes:
                row["notes"] = [str(note) for note in item.notes]
        output.write(json_line(row, output.encoding) + "\n")
        output.flush()


def write_csv(outcomes: Iterable[Outcome], top: int, output: TextIO, warnings: Sequence[str] = ()) -> None:
    """A row for each clip and rank; a clip that could not be read has one row with its reason as `error`.

    The column `warnings` has the `warnings` about every answer, then those about the clip; `notes` has what was done to
    read it.
    """
    answer_columns = ("action", "label", "kind", "probability", "unseen_probability")
    output.write(csv_line(("clip", "rank", *answer_columns, "error", "warnings", "notes", "none_of_these")))
    for item in outcomes:
        if isinstance(item, Unread):
            output.write(csv_line((item.clip, "", "", "", "", "", "", item.reason, "", "", "")))
            continue
        gate = "" if item.unseen_probability is None else f"{item.unseen_probability:.6f}"
        about = " | ".join((*warnings, *item.warnings))
        notes = " | ".join(map(str, item.notes))
        none = "" if item.none_of_these is None else str(item.none_of_these).lower()
        for rank, ranked in enumerate(item.ranked[:top], start=1):
            action = ranked.action
            answer = (action.name, action.label, action.kind, f"{ranked.probability:.6f}", gate, "", about, notes, none)
            output.write(csv_line((item.clip, rank, *answer)))
        output.flush()


def write_table(outcomes: Iterable[Outcome], top: int, output: TextIO, warnings: Sequence[str] = ()) -> None:
    """A row for each clip; columns keep their width, so that rows are written as they come.

    Where `top` actions would not fit beside each other, they stand one below the other. Warnings about single
    answers follow the rows that were laid out together. A file gets the `warnings` about every answer above the rows;
    on a terminal they were printed before.
    """
    console = Console(file=output)
    if not console.is_terminal:
        console = Console(file=output, width=PLAIN_WIDTH)
        for warning in warnings:
            console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    outcomes = iter(outcomes)
    header = True
    make_table = _table if top <= (console.width - CLIP_WIDTH - GATE_WIDTH - 2) // (ACTION_WIDTH + 2) else _long_table
    while rows := list(islice(outcomes, TABLE_CLIPS)):
        for unread, block in groupby(rows, key=lambda row: isinstance(row, Unread)):
            group = list(block)
            if not unread:
                console.print(make_table(group, top, header, console.width), highlight=False)
                header = False
            for line in (line for row in group for line in _lines_below(row)):
                console.print(line, style="yellow", highlight=False, markup=False)


WRITERS: dict[Form, Callable[[Iterable[Outcome], int, TextIO, Sequence[str]], None]] = {
    "table": write_table,
    "json": write_json,
    "csv": write_csv,
}


def _table(rows: Iterable[Outcome], top: int, header: bool, width: int) -> Table:
    """A line for each clip, with a column for each rank."""
    share = max(ACTION_WIDTH, (width - CLIP_WIDTH - GATE_WIDTH - 2 * (top + 1)) // top)
    table = _empty_table(header, [f"{rank}." for rank in range(1, top + 1)], share)
    for row in rows:
        if isinstance(row, Answer):
            cells = _cells(row, top)
            table.add_row(_short(row.clip), *cells, *[""] * (top - len(cells)), _gate(row))
    return table


def _long_table(rows: Iterable[Outcome], top: int, header: bool, width: int) -> Table:
    """A line for each rank of each clip, where columns for all ranks would not fit into `width`."""
    table = _empty_table(header, ["actions"], max(ACTION_WIDTH, width - CLIP_WIDTH - GATE_WIDTH - 4))
    for row in rows:
        if isinstance(row, Answer):
            first, *others = _cells(row, top)
            table.add_row(_short(row.clip), first, _gate(row))
            for cell in others:
                table.add_row("", cell, "")
    return table


def _empty_table(header: bool, headings: Sequence[str], width: int) -> Table:
    table = Table(box=None, show_header=header, pad_edge=False)
    table.add_column("clip", width=CLIP_WIDTH, overflow="fold")
    for heading in headings:
        table.add_column(heading, width=width, overflow="fold")
    table.add_column("unseen", width=GATE_WIDTH, justify="right")
    return table


def _cells(answer: Answer, top: int) -> list[str]:
    """The ranked actions; where the clip shows none of them, this comes first."""
    ranked = [_cell(ranked) for ranked in answer.ranked]
    return ([NONE_OF_THESE.label, *ranked] if answer.none_of_these else ranked)[:top]


def _gate(answer: Answer) -> str:
    return "" if answer.unseen_probability is None else f"{100 * answer.unseen_probability:.0f} %"


def _lines_below(row: Outcome) -> list[str]:
    """Why a clip was not read, or the warnings about its answer."""
    if isinstance(row, Unread):
        return [f"{_short(row.clip)}: not read: {printable(row.reason)}"]
    return [f"{_short(row.clip)}: warning: {printable(warning)}" for warning in row.warnings]


def _short(clip: str) -> str:
    return escape(printable(Path(clip).name.removesuffix(".skeleton")))


def _cell(ranked: Ranked) -> str:
    action = ranked.action
    return f"{100 * ranked.probability:5.1f} % {escape(printable(str(action)))}"


def _plain(ranked: Ranked) -> dict[str, object]:
    action = ranked.action
    probability = round(ranked.probability, 6)
    return {"action": action.name, "label": action.label, "kind": action.kind, "probability": probability}


def json_line(row: dict[str, object], encoding: str | None) -> str:
    """`row` as JSON in which only printable characters stand for themselves, as a terminal may show it.

    Where the output's `encoding` is not UTF-8, it is ASCII, which every program reads in the same way.
    """
    line = json.dumps(row, ensure_ascii=(encoding or "utf-8").lower() not in ("utf-8", "utf8"))
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def csv_line(row: Sequence[object]) -> str:
    """`row` as a line of CSV."""
    line = io.StringIO()  # one row at a time: each is written as soon as its clip is named
    csv.writer(line, lineterminator="\n").writerow(cells(row))
    return line.getvalue()
