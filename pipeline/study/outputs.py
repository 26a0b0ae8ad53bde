"""Writes the tables of a study: on the screen, as table.csv, as table.tex and as a page."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from data.stores.files import replacing
from pipeline.messages.csv_cells import cells
from pipeline.pages.html_page import render_page
from pipeline.running.sweep import COLUMNS
from pipeline.stages.result_tables import Table, on_screen
from pipeline.study.outcomes import Group, Outcome
from pipeline.study.study_file import Study
from pipeline.study.tables import about_rows, differences, paper_tables, run_table, warnings
from pipeline.workspace.evaluate_settings import RULES
from pipeline.workspace.folder import StudyFolder

MOST_WARNINGS = 10  # on the screen
NOT_AS_IN_PAPER = "Here, not as in the paper:"
TEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
TEX |= {char: f"\\{char}" for char in "&%$#_{}"}


def write_tables(study: Study, groups: Sequence[Group]) -> list[Path]:
    """Write table.csv, table.tex and the page; return their paths."""
    folder = study.folder
    _write(folder.csv, csv_text(study, groups))
    _write(folder.tex, tex_text(study, groups))
    _write(folder.page, page_text(study, groups))
    return [folder.csv, folder.tex, folder.page]


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, "utf-8", newline="")


def print_tables(study: Study, groups: Sequence[Group], screen: Console) -> None:
    """Print the tables, what differs from the paper, and the warnings."""
    for title, table in paper_tables(study, groups):
        screen.print(on_screen(table, title))
    for heading, sentences in (("Published by others:", about_rows(groups)), (NOT_AS_IN_PAPER, differences(groups))):
        for sentence in ([heading] if sentences else []) + [f"- {sentence}" for sentence in sentences]:
            screen.print(sentence, highlight=False, markup=False)
    said = warnings(outcomes_of(groups))
    more = [f"{len(said) - MOST_WARNINGS} more stand in {study.folder.page}"] if len(said) > MOST_WARNINGS else []
    for warning in [*said[:MOST_WARNINGS], *more]:
        screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)


def outcomes_of(groups: Sequence[Group]) -> list[Outcome]:
    """All runs of the groups."""
    return [outcome for group in groups for outcome in group.outcomes]


def csv_text(study: Study, groups: Sequence[Group]) -> str:
    """A line for each split, preset and rule, and for each group of several splits with its mean."""
    lines: list[dict[str, Any]] = []
    for group in groups:
        singles = [
            Group(group.dataset, split, 1, tuple(o for o in group.outcomes if o.split.name == split))
            for split in dict.fromkeys(outcome.split.name for outcome in group.outcomes)
        ]
        for part in singles if group.sets == 1 else [*singles, group]:
            lines += [_line(part, preset, rule) for preset in study.presets for rule in RULES if part.finished(preset)]
    columns = ["dataset", "split", "unseen_actions", "preset", "rule", "headline", "sets", "seeds", "spread_is"]
    columns += [name for column in COLUMNS for name in (column, f"{column}_spread")]
    table = pd.DataFrame([cells(line[column] for column in columns) for line in lines], columns=columns)
    return str(table.to_csv(index=False, lineterminator="\r\n"))


def _line(group: Group, preset: Any, rule: Any) -> dict[str, Any]:
    finished = group.finished(preset)
    unseen = [f"A{action:03d}" for action in finished[0]["split"]["unseen"]] if group.sets == 1 else []
    line = {
        "dataset": group.dataset.name,
        "split": group.name,
        "unseen_actions": " ".join(unseen),
        "preset": preset,
        "rule": rule,
        "headline": "yes" if rule == group.rule(preset) else "",
        "sets": len(finished),
        "seeds": len(finished[0]["seeds"]),
        "spread_is": "standard deviation over seeds" if group.sets == 1 else "standard error over sets",
    }
    for column, measure in group.measures(preset, rule).items():
        line |= {column: measure.mean, f"{column}_spread": measure.spread}
    return line


def tex_text(study: Study, groups: Sequence[Group]) -> str:
    """The tables in LaTeX, for a document with the package booktabs; what must be known of them stands in comments."""
    head = f"% Written by fsvae-pipe {version('fsvae-pipe')}. In the preamble: \\usepackage{{booktabs}}\n"
    said = [f"Here, not as in the paper: {sentence}" for sentence in differences(groups)]
    said += [f"warning: {sentence}" for sentence in warnings(outcomes_of(groups))]
    notes = "".join(f"% {' '.join(sentence.split())}\n" for sentence in (*about_rows(groups), *said))
    return head + notes + "\n".join(_tex_table(title, table) for title, table in paper_tables(study, groups))


def _tex_table(title: str, table: Table) -> str:
    def row(texts: Sequence[str]) -> str:
        return "    " + " & ".join(map(escaped, texts)) + r" \\"

    body: list[str] = []
    for place, texts in enumerate(table.rows):
        if place in table.groups and body:
            body.append(r"    \midrule")
        body.append(row(texts))
    caption = f"{escaped(title)}, percent. {escaped(table.note)}"
    lines = [
        r"\begin{table*}",
        r"  \centering\small",
        f"  \\caption{{{caption}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"    \toprule",
        row(["", *table.head[1:]]),
        r"    \midrule",
        *body,
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return `text` as LaTeX prints it."""
    return re.sub(r"[\\±~^&%$#_{}]", lambda char: TEX[char[0]], text)


def page_text(study: Study, groups: Sequence[Group]) -> str:
    """The page of the study. It links to the report of each run that has one."""
    return render_page(
        "study.html",
        [],
        title=f"Study: {study.folder.root.resolve().name}",
        tables=list(paper_tables(study, groups)),
        lists={"Rows of other publications": about_rows(groups), "Here, not as in the paper": differences(groups)},
        warnings=warnings(outcomes_of(groups)),
        runs=run_table(groups),
        links=[_link(study.folder, outcome) for outcome in outcomes_of(groups)],
        seeds=_seeds(groups),
    )


def _seeds(groups: Sequence[Group]) -> str:
    """How many seeds each run has."""
    numbers = {len(outcome.results["seeds"]) for outcome in outcomes_of(groups) if outcome.results}
    return " or ".join(map(str, sorted(numbers)))


def _link(folder: StudyFolder, outcome: Outcome) -> str:
    """The address of a run's report, relative to the page; "" when there is none of its present results."""
    page, results = outcome.folder.report, outcome.folder.results
    if not outcome.results or not page.is_file() or page.stat().st_mtime_ns < results.stat().st_mtime_ns:
        return ""
    return page.relative_to(folder.root).as_posix()
