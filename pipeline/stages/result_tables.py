"""Builds the tables of results as text, for the screen and for the page of a report."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table as ScreenTable
from rich.text import Text

from data.stores.prediction_store import ENSEMBLE
from pipeline.messages.errors import PipelineError
from pipeline.workspace.evaluate_settings import GZSL_WAYS, RULES, Rule, Way
from pipeline.workspace.folder import RunFolder

Results = Mapping[str, Any]  # what results.json holds


@dataclass(frozen=True)
class Table:
    """Headings and cells. The first column names the rows. `note` is a line below the table."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    groups: Sequence[int] = ()  # indices of the rows that begin a new group
    footnotes: Sequence[str] = ()  # a list below the table


AUROCS = ("gate", "entropy", "distance", "text")
REJECTED = {"left_out": "own text missing", "seen": "seen action"}  # clips that should be rejected
ENSEMBLE_WAYS: tuple[Way, ...] = ("gzsl", "gzsl_oracle_gate")
ZSL_ROWS = (("ZSL top-1", "top1"), ("ZSL mean of classes", "per_class"), ("chance", "chance"))


def require_every_rule(run: RunFolder, results: Results) -> None:
    """Raise PipelineError when a seed lacks a selection rule, as in results.json of an earlier version."""
    if all("first_cycle" in scores.get(rule, {}) for scores in results["seeds"].values() for rule in RULES):
        return
    workspace = shlex.quote(str(run.root.resolve().parent.parent))
    raise PipelineError(
        f"{run.results} was written by an earlier version of this program, which scored in another way; "
        f"`fsvae-pipe -w {workspace} run --run {shlex.quote(run.root.name)}` brings the run up to date"
    )


def results_table(results: Results) -> Table:
    """Return all accuracies of a run. Each selection rule has a column; that of the headline is marked *.

    The last rows are those of the ensemble, if the run has several seeds.
    """
    rows = [[name, *(number(results, rule, f"zsl.{key}") for rule in RULES)] for name, key in ZSL_ROWS]
    for way, name in GZSL_WAYS.items():
        rows.append([f"S / U / H, {name}", *(" / ".join(seen_unseen_h(results, rule, way)) for rule in RULES)])
    rows.append([f"AUROC: {' / '.join(AUROCS)}", *(aurocs(results, rule) for rule in RULES)])
    groups = [len(ZSL_ROWS), len(rows) - 1]
    if any("rejection" in scores for scores in results["mean"].values()):
        rows.append(
            [f"AUROC, none of these: {' / '.join(REJECTED.values())}", *(rejections(results, rule) for rule in RULES)]
        )
    rows.append(["cycle", *(cycles(results, rule) for rule in RULES)])
    seeds = len(results["seeds"])
    if ENSEMBLE in results:  # an earlier version wrote none
        groups.append(len(rows))
        rows += ensemble_rows(results)
    note = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    head = ["percent", *(f"{rule} *" if rule == results["selection"] else rule for rule in RULES)]
    return Table(head, rows, note, groups=groups)


def ensemble_rows(results: Results) -> list[list[str]]:
    """Return the rows of the ensemble of all seeds: ZSL, GZSL with the fitted and the perfect gate, AUROC."""
    ensemble = {"mean": results[ENSEMBLE]}
    rows = [["ZSL top-1", *(number(ensemble, rule, "zsl.top1") for rule in RULES)]]
    for way in ENSEMBLE_WAYS:
        cells = (" / ".join(seen_unseen_h(ensemble, rule, way)) for rule in RULES)
        rows.append([f"S / U / H, {GZSL_WAYS[way]}", *cells])
    rows.append(["AUROC of the gate", *(number(ensemble, rule, "auroc.gate") for rule in RULES)])
    return [[f"ensemble: {row[0]}", *row[1:]] for row in rows]


def aurocs(results: Results, rule: Rule) -> str:
    """Return how well the gate, and each score that it reads, tells unseen clips from seen ones: "70.1 / 64.2"."""
    return " / ".join(number(results, rule, f"auroc.{name}", spread=False) for name in AUROCS)


def rejections(results: Results, rule: Rule) -> str:
    """Return how well clips of none of the actions are told from clips of unseen ones: "66.0 / 77.0"."""
    return " / ".join(number(results, rule, f"rejection.auroc.{name}", spread=False) for name in REJECTED)


def cycles(results: Results, rule: Rule) -> str:
    """Return which cycles `rule` took, on average over the seeds: "7.5", or "6 to 10" where it averages several."""
    first, last = (number(results, rule, key, spread=False) for key in ("first_cycle", "cycle"))
    return number(results, rule, "cycle") if first == last else f"{float(first):.0f} to {float(last):.0f}"


def cycles_text(scores: Mapping[str, Any]) -> str:
    """Return which cycles one seed's `scores` under a rule come from: "cycle 7", or "cycles 6 to 10"."""
    first, last = scores["first_cycle"], scores["cycle"]
    return f"cycle {last}" if first == last else f"cycles {first} to {last}"


def seen_unseen_h(results: Results, rule: Rule, way: str = "gzsl") -> list[str]:
    """Return seen accuracy, unseen accuracy and H of a GZSL way. Only H comes with its standard deviation."""
    return [number(results, rule, f"{way}.{key}", spread=key == "h") for key in ("seen", "unseen", "h")]


def number(results: Results, rule: Rule, key: str, *, spread: bool = True) -> str:
    """Return the number at the dotted `key` under `rule` as text: "12.3 ± 0.4", or "-" when there is none.

    The standard deviation over the seeds is left out when it is 0, or without `spread`.
    """
    mean, deviation = (_at(results.get(statistic), rule, *key.split(".")) for statistic in ("mean", "std"))
    if mean is None:
        return "-"
    return f"{mean:.1f} ± {deviation:.1f}" if spread and deviation else f"{mean:.1f}"


def _at(tree: Any, *keys: str) -> float | None:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return None if tree is None else float(tree)


def on_screen(table: Table, title: str) -> Group:
    """Return `table` in rich's form, for a terminal."""
    screen = ScreenTable(title=title, caption=table.note or None)
    for column, heading in enumerate(table.head):
        screen.add_column(heading, justify="right" if column else "left", overflow="fold")  # no name is cut
    for place, row in enumerate(table.rows):
        if place in table.groups:
            screen.add_section()
        screen.add_row(*map(escape, row))
    return Group(screen, *(Text(f"- {footnote}") for footnote in table.footnotes))
