"""`fsvae-pipe predict`: the actions in new clips, as a table, JSON lines or CSV, written as they come."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descriptions.errors import DescriptionError
from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import PipelineError, WrongUsage, printable
from pipeline.phases.raw_recordings import reading_of
from pipeline.predict.clip_stream import Unread
from pipeline.predict.free_text import GivenAction, parse_given, read_given, used_levels
from pipeline.predict.modes import Mode, Seed
from pipeline.predict.recognizer import Answer, Ranked, Recognizer
from pipeline.predict.trained_run import TrainedRun, open_run, print_warnings
from pipeline.workspace.context import Context

Form = Literal["table", "json", "csv"]
TABLE_CLIPS = 64  # rows that are laid out together
PLAIN_WIDTH = 120  # columns, where standard output is no terminal
CLIP_WIDTH, ACTION_WIDTH, GATE_WIDTH = 21, 14, 6  # columns of the table; the second is the least of an action

Outcome = Answer | Unread


def predict(
    context: Context,
    clips: Sequence[Path],
    *,
    seed: Seed | None = None,
    mode: Mode = "gzsl",
    actions: Sequence[str] = (),
    actions_file: Path | None = None,
    form: Form = "table",
    top: int = 3,
    output: TextIO,
) -> None:
    """Name the action in each of `clips` and write the answers to `output`.

    `actions` are "label | local | global", `actions_file` is a CSV of such. Raises PipelineError when no clip could be
    read, and as `Recognizer` does.
    """
    run = open_run(context.run.root, seed, context)
    given = given_actions(run, actions, actions_file, mode)
    recognizer = Recognizer(run)
    bank = recognizer.bank(mode, given)
    seen = f"{bank.seen} seen and " if bank.seen else ""
    context.console.print(
        f"predict: {run.model_name}; mode {mode}: {seen}{len(bank.actions) - bank.seen} actions known by text",
        highlight=False,
        markup=False,
    )
    print_warnings(run)
    tally = _Tally()
    stored = recognizer.treatment
    treatment = replace(stored, reading=replace(reading_of(context), to_fps=stored.reading.to_fps))
    WRITERS[form](tally.count(recognizer.stream(clips, bank, treatment)), top, output, run.warnings)
    if tally.unread:
        context.console.print(f"{tally.unread} of {tally.total} clips could not be read", style="yellow")
    for what, (number, first) in tally.notes.items():
        context.console.print(
            printable(f"{number} of {tally.total - tally.unread} clips {what} (the first: {first})"),
            highlight=False,
            markup=False,
        )
    if tally.warned:
        summary = (
            f"{tally.warned} of {tally.total - tally.unread} answers may be wrong, the first: {tally.first_warning}"
        )
        context.console.print(f"warning: {printable(summary)}", style="yellow", highlight=False, markup=False)
    if tally.unread == tally.total:
        raise PipelineError(
            f"none of {tally.total} clips could be read, the first because: {tally.first}; clips are files of one "
            "layout (--layout; without it that of the run's own clips), or folders or zip archives of them"
        )


def given_actions(run: TrainedRun, actions: Sequence[str], file: Path | None, mode: Mode) -> list[GivenAction]:
    """The actions given in words.

    Raises WrongUsage when one of `actions` is not as it must be, or when the mode "given" has none; DescriptionError
    when the file is not as it must be.
    """
    levels = used_levels(run.config.text)
    try:
        given = [parse_given(text, number, levels) for number, text in enumerate(actions, start=1)]
    except DescriptionError as error:  # of an option, not of a file
        raise WrongUsage(str(error)) from error
    if file is not None:
        given += read_given(file, () if mode == "given" else run.split.actions)
    if mode == "given" and not given:
        raise WrongUsage('mode "given" chooses between actions in words; give them with --action or --actions')
    return given


class _Tally:
    """Counts what goes by."""

    def __init__(self) -> None:
        self.total = self.unread = self.warned = 0
        self.first = self.first_warning = ""
        self.notes: dict[str, tuple[int, str]] = {}  # what was done to read a clip -> clips, and the first of them

    def count(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for item in outcomes:
            self.total += 1
            if isinstance(item, Unread):
                self.first = self.first or f"{item.clip}: {item.reason}"
                self.unread += 1
            elif item.warnings:
                self.first_warning = self.first_warning or f"{item.clip}: {item.warnings[0]}"
                self.warned += 1
            for note in getattr(item, "notes", ()):
                number, first = self.notes.get(note.what, (0, f"{item.clip}, {note.detail}"))
                self.notes[note.what] = number + 1, first
            yield item


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
            if item.notes:
                row["notes"] = [str(note) for note in item.notes]
        output.write(_json_line(row, output.encoding) + "\n")
        output.flush()


def write_csv(outcomes: Iterable[Outcome], top: int, output: TextIO, warnings: Sequence[str] = ()) -> None:
    """A row for each clip and rank; a clip that could not be read has one row with its reason as `error`.

    The column `warnings` has the `warnings` about every answer, then those about the clip; `notes` has what was done to
    read it.
    """
    names = (
        "clip",
        "rank",
        "action",
        "label",
        "kind",
        "probability",
        "unseen_probability",
        "error",
        "warnings",
        "notes",
    )
    output.write(_csv_line(names))
    for item in outcomes:
        if isinstance(item, Unread):
            output.write(_csv_line((item.clip, "", "", "", "", "", "", item.reason, "", "")))
            continue
        gate = "" if item.unseen_probability is None else f"{item.unseen_probability:.6f}"
        about = " | ".join((*warnings, *item.warnings))
        notes = " | ".join(map(str, item.notes))
        for rank, ranked in enumerate(item.ranked[:top], start=1):
            action = ranked.action
            answer = (action.name, action.label, action.kind, f"{ranked.probability:.6f}", gate, "", about, notes)
            output.write(_csv_line((item.clip, rank, *answer)))
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
            cells = [_cell(ranked) for ranked in row.ranked[:top]]
            table.add_row(_short(row.clip), *cells, *[""] * (top - len(cells)), _gate(row))
    return table


def _long_table(rows: Iterable[Outcome], top: int, header: bool, width: int) -> Table:
    """A line for each rank of each clip, where columns for all ranks would not fit into `width`."""
    table = _empty_table(header, ["actions"], max(ACTION_WIDTH, width - CLIP_WIDTH - GATE_WIDTH - 4))
    for row in rows:
        if isinstance(row, Answer):
            first, *others = [_cell(ranked) for ranked in row.ranked[:top]]
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
    return f"{100 * ranked.probability:5.1f} % {escape(printable(action.label))} ({action.name})"


def _plain(ranked: Ranked) -> dict[str, object]:
    action = ranked.action
    probability = round(ranked.probability, 6)
    return {"action": action.name, "label": action.label, "kind": action.kind, "probability": probability}


def _json_line(row: dict[str, object], encoding: str | None) -> str:
    """`row` as JSON in which only printable characters stand for themselves, as a terminal may show it.

    Where the output's `encoding` is not UTF-8, it is ASCII, which every program reads in the same way.
    """
    line = json.dumps(row, ensure_ascii=(encoding or "utf-8").lower() not in ("utf-8", "utf8"))
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _csv_line(row: Sequence[object]) -> str:
    line = io.StringIO()  # one row at a time: each is written as soon as its clip is named
    csv.writer(line, lineterminator="\n").writerow(cells(row))
    return line.getvalue()
