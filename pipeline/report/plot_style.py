"""What all figures of a report share: colours, layout, and texts that plotly may be given.

Colours of backgrounds and fonts come from the page (pages/report.js), which knows whether it is light or dark. Texts of
users are escaped: plotly reads a few HTML tags in labels.
"""

import textwrap
from dataclasses import dataclass, field
from html import escape
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's colours; those on the first line stand out from white too. In the dark, report.js lightens the blue.
SEEN, UNSEEN, THIRD, FOURTH = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#868e96"
COLOURS = (UNSEEN, THIRD, FOURTH, "#E69F00", "#56B4E9", "#B09500")
SYMBOLS = ("circle", "square", "triangle-up", "cross", "x", "star")
LABEL_CHARACTERS = 26  # of an action's label at an axis; the hover and the readout have all of it
HOVER_CHARACTERS = 44  # of a line in a hover


@dataclass(frozen=True)
class Plot:
    """A figure, what it shows in words, and in `meta` the full names and the codes of a matrix's actions."""

    title: str
    about: str
    figure: go.Figure
    meta: dict[str, Any] = field(default_factory=dict)
    wide: bool = False  # over the whole width of its run


def layout(height: int) -> go.Layout:
    """What every figure has: its height in pixels, the legend above it and the tools in a strip at its right."""
    return go.Layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 40, "t": 10, "b": 8},
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)"},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"namelength": -1, "align": "left"},
    )


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis with its title, and plotly's `settings`."""
    return {"title": {"text": title}, "automargin": True, "zeroline": False, **settings}


def hover_text(*lines: str) -> str:
    """Lines of a user's or our text, wrapped and escaped."""
    return "<br>".join(escape(part) for line in lines for part in textwrap.wrap(line, HOVER_CHARACTERS) or [""])


def short(name: str) -> str:
    """A name for an axis or a legend, cut where it is too long, escaped."""
    return escape(name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1].rstrip() + "…")
