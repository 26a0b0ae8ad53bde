"""The seen/unseen trade-off over the gate's threshold: its numbers and its figures.

Letters: N test clips.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.stores.prediction_store import Predictions
from models.zero_shot.metrics import harmonic_mean
from pipeline.report.data import RunData
from pipeline.report.plot import GREY, SEEN, THIRD, UNSEEN, Plot, axis, layout
from pipeline.workspace.evaluate_settings import GZSL_WAYS, Way

MOST_POINTS = 300  # of a curve


@dataclass(frozen=True)
class TradeOff:
    """Seen and unseen accuracy of one seed at each threshold on the gate's probability, in percent."""

    threshold: NDArray[np.float64]
    seen: NDArray[np.float64]
    unseen: NDArray[np.float64]

    @property
    def h(self) -> NDArray[np.float64]:
        """The harmonic mean at each threshold."""
        return np.array([harmonic_mean(s, u) for s, u in zip(self.seen, self.unseen, strict=True)])


def trade_off(predictions: Predictions, seed: int, thresholds: NDArray[np.float64] | None = None) -> TradeOff:
    """What seed number `seed` (its place) gets at `thresholds`, by default at MOST_POINTS quantiles of the gate."""
    of = predictions.seeds[seed]
    unseen = predictions.is_unseen
    if thresholds is None:
        inner = np.quantile(of.gate.astype(np.float64), np.linspace(0, 1, MOST_POINTS))
        thresholds = np.unique(np.concatenate(([0.0], inner, [1.0 + 1e-6])))
    taken = of.gate[None] >= thresholds[:, None]  # (thresholds, N)
    right_if_seen = predictions.seen_action == predictions.action
    right_if_unseen = of.zsl_action == predictions.action
    seen = 100 * (~taken & right_if_seen)[:, ~unseen].mean(axis=1)
    return TradeOff(thresholds, seen, 100 * (taken & right_if_unseen)[:, unseen].mean(axis=1))


MARKS: Mapping[Way, str] = {
    "gzsl": "star",
    "gzsl_tuned_gate": "square",
    "gzsl_soft_gate": "triangle-up",
    "gzsl_stacking": "cross",
    "gzsl_oracle_gate": "x",
}


def trade_off_curve(run: RunData, predictions: Predictions) -> Plot:
    """Unseen against seen accuracy over all thresholds, a line a seed, with what each way of gating gets."""
    figure = go.Figure(layout=layout(460))
    for place, seed in enumerate(predictions.seeds):
        curve = trade_off(predictions, place)
        figure.add_scatter(
            x=curve.seen,
            y=curve.unseen,
            customdata=np.stack((curve.threshold, curve.h), axis=1).round(3),
            mode="lines",
            name=f"seed {seed.seed}",
            line={"color": SEEN, "width": 2.5 if place == 0 else 1, "dash": "solid" if place == 0 else "dot"},
            hovertemplate="threshold %{customdata[0]}<br>seen %{x:.1f} %, unseen %{y:.1f} %, H %{customdata[1]:.1f} %"
            "<extra>%{fullData.name}</extra>",
        )
    points = run.results["seeds"][str(predictions.seeds[0].seed)][run.rule]
    for key, name in GZSL_WAYS.items():
        if key in points:
            figure.add_scatter(
                x=[points[key]["seen"]],
                y=[points[key]["unseen"]],
                customdata=[points[key]["h"]],
                mode="markers",
                name=f"{name} (chosen)" if key == "gzsl" else name,
                marker={
                    "symbol": MARKS[key],
                    "size": 16 if key == "gzsl" else 10,
                    "color": UNSEEN if key == "gzsl" else THIRD,
                },
                hovertemplate="seen %{x:.1f} %, unseen %{y:.1f} %, H %{customdata:.1f} %"
                "<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(axis("seen accuracy, %", range=[-3, 103]))
    figure.update_yaxes(axis("unseen accuracy, %", range=[-3, 103]))
    about = f"Every threshold on the gate; marks are what seed {predictions.seeds[0].seed} gets each way."
    return Plot("Unseen against seen accuracy", about, figure)


def trade_off_over_threshold(run: RunData, predictions: Predictions) -> Plot:
    """Seen, unseen and H of the first seed over the threshold, with the chosen one."""
    curve = trade_off(predictions, 0)
    chosen = run.config.evaluate.gate.threshold
    at = trade_off(predictions, 0, np.array([chosen]))
    figure = go.Figure(layout=layout(400))
    lines = (
        ("seen", curve.seen, at.seen, SEEN, "solid"),
        ("unseen", curve.unseen, at.unseen, UNSEEN, "dash"),
        ("H", curve.h, at.h, THIRD, "dot"),
    )
    for name, values, point, colour, dash in lines:
        figure.add_scatter(
            x=curve.threshold,
            y=values,
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "shape": "hv"},
            hovertemplate="threshold %{x:.3f}: %{y:.1f} %<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=[chosen],
            y=point,
            mode="markers",
            showlegend=False,
            name=f"{name}, chosen",
            marker={"symbol": "star", "size": 12, "color": colour},
            hovertemplate="threshold %{x:.3f}: %{y:.1f} %<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(chosen, line={"color": GREY, "dash": "dash", "width": 1})
    figure.update_xaxes(axis("threshold of the gate", range=[-0.02, 1.02]))
    figure.update_yaxes(axis("accuracy, %", range=[-3, 103]))
    about = f"Seed {predictions.seeds[0].seed}; stars and the dashed line: the threshold in use, {chosen:g}."
    return Plot("Over the threshold", about, figure)
