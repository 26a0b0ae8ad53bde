"""The page of a report: pages/report.html with the sections, plotly and the scripts embedded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.io as pio
from plotly.offline import get_plotlyjs

from pipeline.pages.skeleton_player import page_file, render_page
from pipeline.report.plot_style import Plot
from pipeline.report.run_data import RunData
from pipeline.report.sections import SECTIONS, Panel
from pipeline.report.tables import headline, notices, paper_table, result_tables, summary


@dataclass(frozen=True)
class Section:
    """A part of the page, a panel a run."""

    key: str
    title: str
    about: str
    panels: list[Panel]


def write_page(runs: list[RunData]) -> str:
    """The whole page as text."""
    return render_page(
        "report.html",
        [get_plotlyjs(), page_file("skeleton_player.js"), page_file("report.js")],
        title="fsvae-pipe: " + ", ".join(run.title for run in runs),
        summary=summary(runs),
        runs=[(run, headline(run), notices(run), result_tables(run), paper_table(run)) for run in runs],
        sections=[Section(key, title, about, [panel(run) for run in runs]) for key, title, about, panel in SECTIONS],
        templates=_templates(),
        plot_json=_plot_json,
    )


def _templates() -> dict[str, Any]:
    """plotly's own light and dark templates, see-through, in the page's font."""
    found = {}
    for scheme, name in (("light", "plotly_white"), ("dark", "plotly_dark")):
        template = pio.templates[name].to_plotly_json()
        layout = template["layout"]
        layout.update(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
        layout["font"] = {"family": "system-ui, sans-serif", "color": "#1b1f24" if scheme == "light" else "#e6e9ed"}
        found[scheme] = {"layout": layout}
    return json.loads(json.dumps(found, default=list))  # type: ignore[no-any-return]


def _plot_json(plot: Plot) -> dict[str, Any]:
    """What report.js draws; arrays as base64, as plotly writes them."""
    figure = json.loads(plot.figure.to_json())
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"], "meta": plot.meta}


def default_path(runs: list[RunData]) -> Path:
    """Beside the run, or in the first run's workspace when there are several."""
    return runs[0].folder.report if len(runs) == 1 else runs[0].workspace.report
