"""Timelines as a table, JSON lines or CSV, written as they come, and as a page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.raw.clip_source import SUFFIX
from data.stores.files import replacing
from pipeline.messages.errors import printable
from pipeline.pages.html_page import page_file, render_page
from pipeline.predict.answer_output import PLAIN_WIDTH, Form, csv_line, json_line
from pipeline.predict.clip_stream import Unread
from pipeline.predict.timeline import Segment, Timeline
from pipeline.predict.trained_run import TrainedRun

MOST_PLAYERS = 12  # recordings on a page
MOST_BARS = 2000  # segments of a recording on a page
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
MOST_TICKS = 6
LAST_TICK = 0.9  # of the duration; the number of a later one would leave the page
CSV_NAMES = ("clip", "start_s", "end_s", "action", "label", "kind", "probability", "error", "warnings", "notes")
SECONDS_WIDTH, SHARE_WIDTH = 10, 11  # columns of the table
RECORDING_WIDTH = 28

Outcome = Timeline | Unread


def write_timelines(
    outcomes: Iterable[Outcome], form: Form, output: TextIO, page: Path | None, run: TrainedRun
) -> None:
    """Write `outcomes` to `output` as they come, and the first MOST_PLAYERS timelines to `page` at the end."""
    kept: list[Timeline] = []
    total = 0

    def noted() -> Iterator[Outcome]:
        nonlocal total
        for item in outcomes:
            if isinstance(item, Timeline):
                total += 1
                if item.moving is not None:
                    kept.append(item)
            yield item

    WRITERS[form](noted(), output, run.warnings)
    if page is not None and kept:
        with replacing(page) as partial:
            partial.write_text(timeline_page(kept, total, run), "utf-8")
        run.context.console.print(printable(f"wrote {page}"), highlight=False, markup=False)


def write_json(outcomes: Iterable[Outcome], output: TextIO, warnings: tuple[str, ...]) -> None:
    """One object a line: {"clip", "duration_s", "windows", "unanswered", "segments": [...]}, as Timeline has them.

    A segment is {"start_s", "end_s", "action", "label", "kind", "probability"}. There are "warnings" and "notes" where
    there are any. A recording that could not be read is {"clip", "error"}.
    """
    for item in outcomes:
        if isinstance(item, Unread):
            row: dict[str, object] = {"clip": item.clip, "error": item.reason}
        else:
            row = {
                "clip": item.clip,
                "duration_s": round(item.duration_s, 3),
                "windows": item.windows,
                "unanswered": item.unanswered,
                "segments": [dict(zip(CSV_NAMES[1:7], _values(part), strict=True)) for part in item.segments],
            }
            if about := [*warnings, *item.warnings]:
                row["warnings"] = about
            if item.notes:
                row["notes"] = [str(note) for note in item.notes]
        output.write(json_line(row, output.encoding) + "\n")
        output.flush()


def write_csv(outcomes: Iterable[Outcome], output: TextIO, warnings: tuple[str, ...]) -> None:
    """A row for each segment; a recording that could not be read has one row with its reason as `error`."""
    output.write(csv_line(CSV_NAMES))
    for item in outcomes:
        if isinstance(item, Unread):
            output.write(csv_line((item.clip, *[""] * 6, item.reason, "", "")))
            continue
        about, notes = " | ".join((*warnings, *item.warnings)), " | ".join(map(str, item.notes))
        for part in item.segments:
            output.write(csv_line((item.clip, *_values(part), "", about, notes)))
        output.flush()


def write_table(outcomes: Iterable[Outcome], output: TextIO, warnings: tuple[str, ...]) -> None:
    """A line for each segment. Warnings and reasons follow the segments of their recording."""
    console = Console(file=output)
    if not console.is_terminal:
        console = Console(file=output, width=PLAIN_WIDTH)
        for warning in warnings:
            console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    header = True
    for item in outcomes:
        name = printable(Path(item.clip).name.removesuffix(SUFFIX))
        if isinstance(item, Unread):
            console.print(f"{name}: not read: {printable(item.reason)}", style="yellow", highlight=False, markup=False)
            continue
        console.print(_table(item, name, header, console.width), highlight=False)
        header = False
        for warning in item.warnings:
            console.print(f"{name}: warning: {printable(warning)}", style="yellow", highlight=False, markup=False)


WRITERS: dict[Form, Callable[[Iterable[Outcome], TextIO, tuple[str, ...]], None]] = {
    "table": write_table,
    "json": write_json,
    "csv": write_csv,
}


def _table(timeline: Timeline, name: str, header: bool, width: int) -> Table:
    table = Table(box=None, show_header=header, pad_edge=False)
    table.add_column("recording", width=RECORDING_WIDTH, overflow="fold")
    table.add_column("from", width=SECONDS_WIDTH, justify="right")
    table.add_column("to", width=SECONDS_WIDTH, justify="right")
    left = max(14, width - RECORDING_WIDTH - 2 * SECONDS_WIDTH - SHARE_WIDTH - 8)
    table.add_column("action", width=left, overflow="fold")
    table.add_column("probability", width=SHARE_WIDTH, justify="right")
    for row, part in enumerate(timeline.segments):
        action = escape(printable(str(part.action)))
        times = (f"{part.start_s:.2f} s", f"{part.end_s:.2f} s")
        table.add_row("" if row else escape(name), *times, action, f"{100 * part.probability:.0f} %")
    return table


def _values(part: Segment) -> tuple[object, ...]:
    """The columns of a segment, as CSV_NAMES names them."""
    action = part.action
    times = round(part.start_s, 3), round(part.end_s, 3)
    return (*times, action.name, action.label, action.kind, round(part.probability, 6))


@dataclass(frozen=True)
class Drawn:
    """A timeline as the page draws it: a lane for each action that it shows, in order of first appearance."""

    timeline: Timeline
    segments: tuple[Segment, ...]
    lanes: list[tuple[str, list[Segment]]]
    ticks_s: list[float]
    left_out: int  # segments, after MOST_BARS of them
    names: bool  # whether actions are told by their names (A001) beside their labels


def timeline_page(timelines: list[Timeline], total: int, run: TrainedRun) -> str:
    """Return a page with the moving skeletons of `timelines` above what they show; there are `total` timelines."""
    return render_page(
        "timeline.html",
        [page_file("skeleton_player.js"), page_file("timeline.js")],
        title="When each action is shown",
        model=run.model_name,
        warnings=run.warnings,
        drawn=[drawn(timeline) for timeline in timelines],
        left_out=total - len(timelines),
    )


def drawn(timeline: Timeline, names: bool = True) -> Drawn:
    """Return the lanes, bars and ticks of a timeline; `names` = actions are told by their names (A001) too."""
    lanes: dict[str, list[Segment]] = {}
    segments = timeline.segments[:MOST_BARS]
    for part in segments:
        lanes.setdefault(str(part.action) if names else part.action.label, []).append(part)
    step_s = next((step for step in TICKS_S if timeline.duration_s / step <= MOST_TICKS), TICKS_S[-1])
    ticks_s = np.arange(0, LAST_TICK * timeline.duration_s, step_s)[:MOST_BARS].tolist()
    return Drawn(timeline, segments, list(lanes.items()), ticks_s, len(timeline.segments) - len(segments), names)
