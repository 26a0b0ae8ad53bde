"""The style that all plots of a report share: colours, layout, axes, and escaped texts.

The page (pages/report.js) sets the colours of backgrounds and fonts, since only it knows whether it is light or dark.
Users' texts are escaped, because plotly reads a few HTML tags in labels.
"""

import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's colours. Those on the first line are easy to see on white too. On dark, report.js lightens the blue.
SEEN, UNSEEN, THIRD, FOURTH = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#868e96"
COLOURS = (UNSEEN, THIRD, FOURTH, "#E69F00", "#56B4E9", "#B09500")
SYMBOLS = ("circle", "square", "triangle-up", "cross", "x", "star")
LABEL_CHARACTERS = 26  # the longest label at an axis; the hover box and the line below the plot show all of it
HOVER_CHARACTERS = 44  # the longest line in a hover box


@dataclass(frozen=True)
class Plot:
    """A plotly figure with its title and a caption that says in words what it shows."""

    title: str
    caption: str
    figure: go.Figure
    meta: dict[str, Any] = field(default_factory=dict)  # for report.js: full names and codes of a matrix's actions
    wide: bool = False  # whether it takes the whole width of its run


def layout(height: int) -> go.Layout:
    """A layout `height` pixels high, with the legend above the plot and the tools in a strip at its right."""
    return go.Layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 40, "t": 10, "b": 8},
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)"},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"namelength": -1, "align": "left"},
    )


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis called `title`. `settings` are plotly's, and replace those of this style."""
    return {"title": {"text": title}, "automargin": True, "zeroline": False, **settings}


def hover_text(*lines: str) -> str:
    """The text of a hover box: each of `lines` wrapped and escaped."""
    return "<br>".join(escape(part) for line in lines for part in textwrap.wrap(line, HOVER_CHARACTERS) or [""])


def short(name: str) -> str:
    """`name` escaped for an axis or a legend, and cut with an ellipsis when it is too long."""
    return escape(name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1].rstrip() + "…")
