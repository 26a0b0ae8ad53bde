"""`fsvae-pipe sweep`: trains and evaluates many settings on the same features, and writes one CSV and one table.

A grid names rows of settings. It is one of the built-in grids in grids.toml, or a TOML file with one or both of these:
- a table [rows] like those of grids.toml;
- a table [product] of dotted keys with lists of values: each combination of values is a row.
Each row is a run of its own, runs/GRID-ROW/. So a sweep that was stopped does not run finished rows again, and `report`
can show any row.
"""

import contextlib
import io
import itertools
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.console import Console

from data.errors import DataError
from data.stores.files import replacing
from models.errors import ModelError
from pipeline.messages.csv_cells import cells
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.running.run import chosen_stages, run_stages
from pipeline.stages.parallel import worked_on
from pipeline.stages.result_tables import Table, number, on_screen
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import RULES, Way
from pipeline.workspace.folder import Workspace

ALLOWED = ("model.", "train.", "evaluate.", "text.levels")
COLUMNS: Mapping[str, tuple[Way | Literal["zsl", "val_phase"], str]] = {
    "zsl_top1": ("zsl", "top1"),
    "zsl_per_class": ("zsl", "per_class"),
    "seen": ("gzsl", "seen"),
    "unseen": ("gzsl", "unseen"),
    "h": ("gzsl", "h"),
    "h_tuned_gate": ("gzsl_tuned_gate", "h"),
    "h_stacking": ("gzsl_stacking", "h"),
    "h_perfect_gate": ("gzsl_oracle_gate", "h"),
    "val_phase_zsl_top1": ("val_phase", "zsl_top1"),
}
CAVEATS = "caveats"  # in results.json, and the column of the CSV
STATISTICS = ("mean", "std")
MEASURES = [f"{column}_{statistic}" for column in COLUMNS for statistic in STATISTICS]
Row = dict[str, Any]
MAX_ROWS = 10_000


@cache
def built_in_grids() -> dict[str, dict[str, Row]]:
    """Return the grids in grids.toml: grid -> row -> settings, by dotted keys."""
    return tomllib.loads(resources.files("pipeline.running").joinpath("grids.toml").read_text("utf-8"))


def grid_rows(grid: str) -> tuple[str, dict[str, Row]]:
    """Return the name and the rows of `grid`, which is a built-in grid or the path of a TOML file.

    Raises WrongUsage when there is no such grid or file, PipelineError when the file does not hold a grid, or when one
    of its settings would need other features or texts.
    """
    if grid in built_in_grids():
        return grid, built_in_grids()[grid]
    path = Path(grid)
    try:
        tree = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise WrongUsage(f'"{grid}" is not a grid: name one of {", ".join(built_in_grids())}, or a TOML file') from None
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise PipelineError(f"{path}: not valid TOML: {error}") from error
    named, lists = tree.get("rows", {}), tree.get("product", {})
    valid = isinstance(named, dict) and all(isinstance(row, dict) for row in named.values())
    valid = valid and isinstance(lists, dict) and all(isinstance(values, list) for values in lists.values())
    if valid and math.prod(len(values) for values in lists.values()) > MAX_ROWS:
        raise PipelineError(f"{path}: [product] makes more than {MAX_ROWS} rows; name fewer values")
    rows = {**named, **_product(lists)} if valid else {}
    if not rows or set(tree) - {"rows", "product"}:
        raise PipelineError(
            f'{path}: wanted a table [rows], as in name = {{ "train.alpha" = 0.1 }}, or a table [product], as in '
            '"train.alpha" = [0.1, 0.5]'
        )
    _require_allowed(path, rows)
    return path.stem, rows


def _require_allowed(path: Path, rows: Mapping[str, Row]) -> None:
    """Raise PipelineError when a row sets a key that a sweep can't change."""
    for name, row in rows.items():
        for key in row:
            if not key.startswith(ALLOWED):
                raise PipelineError(
                    f'{path}: row "{name}" sets {key}; all rows of a sweep use the same features and texts, so a row '
                    "may set keys of model, train and evaluate, and text.levels; use a workspace for each split"
                )


def _product(lists: Mapping[str, Sequence[Any]]) -> dict[str, Row]:
    combinations = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    return {", ".join(f"{key}={value}" for key, value in row.items()): row for row in combinations if row}


def run_name(grid: str, row: str) -> str:
    """Return the name of a row's run. It is a folder in runs/: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{grid}-{row}").strip("-")


def sweep(context: Context, grid: str, overrides: Sequence[str] = (), workers: int = 0) -> Path:
    """Run every row of `grid` that is not up to date; write the CSV, print the table, return the CSV's path.

    `overrides` are the --set of the command line; a row's own settings win over them. A row that fails does not stop
    the others: its message goes into the CSV. Raises what `grid_rows` raises, PipelineError when two rows would be the
    same run, and PipelineError after everything is written when a row failed.
    """
    name, rows = grid_rows(grid)
    names = {row: run_name(name, row) for row in rows}
    if not all(names.values()):
        raise PipelineError(
            f"{grid}: a row's run needs a name of letters or digits (A-Z, 0-9); rename the row or the file"
        )
    if len(set(names.values())) < len(names):
        raise PipelineError(f"{grid}: two rows get the same folder in runs/; rename one of {sorted(names.values())}")
    tasks = [
        (context.workspace.root, context.config_path, (*overrides, *_overrides(settings)), names[row])
        for row, settings in rows.items()
    ]
    outcomes: list[Row] = []
    for row, fault in zip(rows, worked_on(run_row, tasks, workers, writes=True), strict=True):
        context.console.print(f"sweep: {row}: {fault or 'done'} ({len(outcomes) + 1} of {len(rows)})", highlight=False)
        results = {} if fault else json.loads(context.workspace.run(names[row]).results.read_text("utf-8"))
        outcomes.append({"row": row, "run": names[row], "fault": fault, "settings": rows[row], "results": results})
    path = context.workspace.sweep(name)
    _write_csv(path, outcomes)
    screen = Console()
    screen.print(on_screen(_table(outcomes), f"{name}: ZSL / GZSL H, mean over seeds (± of ZSL)"))
    for warning in caveats_of_rows(outcomes):
        screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    failed = [row for row in outcomes if row["fault"]]
    if failed:
        raise PipelineError(
            f"{len(failed)} of {len(outcomes)} rows failed, the first: {failed[0]['row']}: {failed[0]['fault']}; all "
            f"messages are in {path}. The same command runs the failed rows again"
        )
    return path


def _overrides(settings: Row) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]  # TOML reads JSON's values


def run_row(root: Path, config_path: Path, overrides: Sequence[str], name: str) -> str:
    """Train and evaluate one row, unless it is up to date. Return the message of its error, "" without one."""
    try:
        config = load_config(config_path, [*overrides, "train.workers=1"])
        context = Context(Workspace(root), config, config_path, Console(stderr=True, quiet=True), name)
        with contextlib.redirect_stdout(io.StringIO()):
            for _ in run_stages(context, chosen_stages("train", "evaluate")):
                pass
    except (DataError, ModelError, PipelineError) as error:
        return str(error)
    return ""


def _write_csv(path: Path, outcomes: Sequence[Row]) -> None:
    """Write a line for each row and rule: the settings, then the mean and standard deviation of every column."""
    keys = sorted({key for row in outcomes for key in row["settings"]})
    lines = [
        {"row": row["row"], "run": row["run"], "rule": rule, "seeds": len(row["results"].get("seeds", ()))}
        | {key: json.dumps(value) for key, value in row["settings"].items()}
        | (_measures(row["results"], rule) if row["results"] else {})
        | {CAVEATS: "; ".join(row["results"].get(CAVEATS, ())), "fault": row["fault"]}
        for row in outcomes
        for rule in RULES
    ]
    columns = ["row", "run", "rule", "seeds", *keys, *MEASURES, CAVEATS, "fault"]
    table = pd.DataFrame([cells(line.get(column) for column in columns) for line in lines], columns=cells(columns))
    with replacing(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\r\n")


def _measures(results: Mapping[str, Any], rule: str) -> dict[str, float]:
    numbers = [results[statistic][rule][table][name] for table, name in COLUMNS.values() for statistic in STATISTICS]
    return dict(zip(MEASURES, numbers, strict=True))


def caveats_of_rows(outcomes: Sequence[Row]) -> list[str]:
    """Return each caveat of the rows once, with their names unless it holds for all rows that have results."""
    finished = [row for row in outcomes if row["results"]]
    rows: dict[str, list[str]] = {}
    for row in finished:
        for caveat in row["results"].get(CAVEATS, ()):
            rows.setdefault(caveat, []).append(row["row"])
    return [caveat if len(of) == len(finished) else f"{', '.join(of)}: {caveat}" for caveat, of in rows.items()]


def _table(outcomes: Sequence[Row]) -> Table:
    """Return a table of the rows of the grid: ZSL of the val phase, for choosing one, then ZSL / H under each rule.

    The first is by the row's own rule: the largest of many cycles grows with their number.
    """
    rows = []
    for row in outcomes:
        results = row["results"]
        if row["fault"]:
            rows.append([row["row"], "failed", *("" for _ in RULES)])
            continue
        accuracies = [
            f"{number(results, rule, 'zsl.top1')} / {number(results, rule, 'gzsl.h', spread=False)}" for rule in RULES
        ]
        of_val_phase = number(results, results["selection"], "val_phase.zsl_top1", spread=False)
        rows.append([row["row"], of_val_phase, *accuracies])
    return Table(["row", "val phase ZSL", *RULES], rows)
