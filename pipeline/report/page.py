"""The page of a report: the template pages/report.html, filled with sections, plotly and the scripts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.io as pio
from plotly.offline import get_plotlyjs

from pipeline.pages.html_page import page_file, render_page
from pipeline.report.plot_style import Plot
from pipeline.report.run_data import RunData
from pipeline.report.sections import SECTIONS, Panel
from pipeline.report.tables import headline, notices, paper_table, result_tables, summary


@dataclass(frozen=True)
class Section:
    """A part of the page, with a panel for each run."""

    key: str  # its id in the page
    title: str
    introduction: str  # what to know before reading it; may be empty
    panels: list[Panel]


def write_page(runs: list[RunData]) -> str:
    """Return the whole page as HTML."""
    return render_page(
        "report.html",
        [get_plotlyjs(), page_file("skeleton_player.js"), page_file("report.js")],
        title="fsvae-pipe: " + ", ".join(run.title for run in runs),
        summary=summary(runs),
        runs=[(run, headline(run), notices(run), result_tables(run), paper_table(run)) for run in runs],
        sections=[
            Section(key, title, introduction, [make_panel(run) for run in runs])
            for key, title, introduction, make_panel in SECTIONS
        ],
        templates=_plotly_templates(),
        plot_json=_plot_json,
    )


def _plotly_templates() -> dict[str, Any]:
    """plotly's light and dark templates, with a transparent background and the page's font."""
    templates = {}
    for scheme, name in (("light", "plotly_white"), ("dark", "plotly_dark")):
        template = pio.templates[name].to_plotly_json()
        layout = template["layout"]
        layout.update(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
        layout["font"] = {"family": "system-ui, sans-serif", "color": "#1b1f24" if scheme == "light" else "#e6e9ed"}
        templates[scheme] = {"layout": layout}
    return json.loads(json.dumps(templates, default=list))  # type: ignore[no-any-return]


def _plot_json(plot: Plot) -> dict[str, Any]:
    """The plot as report.js reads it; plotly writes arrays as base64."""
    figure = json.loads(plot.figure.to_json())
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"], "meta": plot.meta}


def default_path(runs: list[RunData]) -> Path:
    """Return the path of the page: in the folder of a single run; for several runs, in the first one's workspace."""
    return runs[0].folder.report if len(runs) == 1 else runs[0].workspace.report
