"""The seen/unseen trade-off of a report: accuracies over the gate's threshold, and their plots.

Letters: N test clips, K thresholds.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.stores.prediction_store import Predictions
from models.zero_shot.metrics import harmonic_mean
from pipeline.report.plot_style import GREY, SEEN, THIRD, UNSEEN, Plot, axis, layout
from pipeline.report.run_data import RunData

MOST_POINTS = 300  # on a curve
MARKERS = {  # way of gating in results.json -> name, plotly's symbol, size in pixels
    "gzsl": ("fitted gate (chosen)", "star", 16),
    "gzsl_tuned_gate": ("tuned gate", "square", 10),
    "gzsl_soft_gate": ("soft gate", "triangle-up", 10),
    "gzsl_stacking": ("calibrated stacking", "cross", 10),
    "gzsl_oracle_gate": ("perfect gate", "x", 10),
}


@dataclass(frozen=True)
class TradeOff:
    """The seen and unseen accuracy of one seed at each threshold of the gate, in percent."""

    threshold: NDArray[np.float64]  # (K,)
    seen: NDArray[np.float64]  # (K,)
    unseen: NDArray[np.float64]  # (K,)

    @property
    def h(self) -> NDArray[np.float64]:
        """The harmonic mean at each threshold, (K,)."""
        return np.array([harmonic_mean(seen, unseen) for seen, unseen in zip(self.seen, self.unseen, strict=True)])


def trade_off(predictions: Predictions, seed_index: int, thresholds: NDArray[np.float64] | None = None) -> TradeOff:
    """Compute the trade-off of the seed at `seed_index` in `predictions.seeds`.

    `thresholds` (K,) default to MOST_POINTS quantiles of the gate's probabilities, with one threshold below all of them
    and one above. A clip counts as unseen when its probability reaches the threshold.
    """
    seed = predictions.seeds[seed_index]
    is_unseen = predictions.is_unseen  # (N,)
    if thresholds is None:
        quantiles = np.quantile(seed.gate.astype(np.float64), np.linspace(0, 1, MOST_POINTS))
        thresholds = np.unique(np.concatenate(([0.0], quantiles, [1.0 + 1e-6])))
    gated_unseen = seed.gate[None] >= thresholds[:, None]  # (K, N)
    right_if_seen = predictions.seen_action == predictions.action  # (N,)
    right_if_unseen = seed.zsl_action == predictions.action  # (N,)
    seen = 100 * (~gated_unseen & right_if_seen)[:, ~is_unseen].mean(axis=1)
    unseen = 100 * (gated_unseen & right_if_unseen)[:, is_unseen].mean(axis=1)
    return TradeOff(thresholds, seen, unseen)


def trade_off_curve(run: RunData, predictions: Predictions) -> Plot:
    """Draw unseen against seen accuracy over all thresholds: a line for each seed, a marker for each way of gating."""
    figure = go.Figure(layout=layout(460))
    for index, seed in enumerate(predictions.seeds):
        curve = trade_off(predictions, index)
        figure.add_scatter(
            x=curve.seen,
            y=curve.unseen,
            customdata=np.stack((curve.threshold, curve.h), axis=1).round(3),
            mode="lines",
            name=f"seed {seed.seed}",
            line={"color": SEEN, "width": 2.5 if index == 0 else 1, "dash": "solid" if index == 0 else "dot"},
            hovertemplate="threshold %{customdata[0]}<br>seen %{x:.1f} %, unseen %{y:.1f} %, H %{customdata[1]:.1f} %"
            "<extra>%{fullData.name}</extra>",
        )
    scores = run.results["seeds"][str(predictions.seeds[0].seed)][run.rule]
    for way, (name, symbol, size_pixels) in MARKERS.items():
        if way in scores:
            figure.add_scatter(
                x=[scores[way]["seen"]],
                y=[scores[way]["unseen"]],
                customdata=[scores[way]["h"]],
                mode="markers",
                name=name,
                marker={"symbol": symbol, "size": size_pixels, "color": UNSEEN if way == "gzsl" else THIRD},
                hovertemplate="seen %{x:.1f} %, unseen %{y:.1f} %, H %{customdata:.1f} %"
                "<extra>%{fullData.name}</extra>",
            )
    figure.update_xaxes(axis("seen accuracy, %", range=[-3, 103]))
    figure.update_yaxes(axis("unseen accuracy, %", range=[-3, 103]))
    caption = (
        "A line goes through every threshold of the gate. "
        f"The marks are the results of seed {predictions.seeds[0].seed} with each way of gating."
    )
    return Plot("Unseen against seen accuracy", caption, figure)


def trade_off_over_threshold(run: RunData, predictions: Predictions) -> Plot:
    """Draw the first seed's seen and unseen accuracy and H over the threshold, with a star at the threshold in use."""
    curve = trade_off(predictions, 0)
    in_use = run.config.evaluate.gate.threshold
    at_use = trade_off(predictions, 0, np.array([in_use]))
    figure = go.Figure(layout=layout(400))
    lines = (
        ("seen", curve.seen, at_use.seen, SEEN, "solid"),
        ("unseen", curve.unseen, at_use.unseen, UNSEEN, "dash"),
        ("H", curve.h, at_use.h, THIRD, "dot"),
    )
    for name, values, star, colour, dash in lines:
        figure.add_scatter(
            x=curve.threshold,
            y=values,
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "shape": "hv"},
            hovertemplate="threshold %{x:.3f}: %{y:.1f} %<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=[in_use],
            y=star,
            mode="markers",
            showlegend=False,
            name=f"{name}, chosen",
            marker={"symbol": "star", "size": 12, "color": colour},
            hovertemplate="threshold %{x:.3f}: %{y:.1f} %<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(in_use, line={"color": GREY, "dash": "dash", "width": 1})
    figure.update_xaxes(axis("threshold of the gate", range=[-0.02, 1.02]))
    figure.update_yaxes(axis("accuracy, %", range=[-3, 103]))
    caption = f"Seed {predictions.seeds[0].seed}. Stars and the dashed line mark the threshold in use, {in_use:g}."
    return Plot("Over the threshold", caption, figure)
