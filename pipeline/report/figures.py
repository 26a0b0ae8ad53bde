"""The figures of a report on actions and on training, by plotly.

Letters: N test clips, c actions, D coefficients.
"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.phase_names import PHASES
from data.splits import action_label
from data.stores.prediction_store import Predictions
from models.zero_shot.metrics import confusion_matrix
from pipeline.report.data import RunData
from pipeline.report.model import Gains
from pipeline.report.plot import COLOURS, FOURTH, GREY, SEEN, THIRD, UNSEEN, Plot, axis, hover_text, layout, short

WIDE_ACTIONS = 20  # a matrix of more takes the whole width


def confusion(run: RunData, predictions: Predictions, kind: str) -> Plot:
    """Which actions are taken for which, all seeds together: rows actual, columns predicted, percent of the row."""
    unseen = sorted(predictions.unseen_actions.tolist())
    actions = unseen if kind == "ZSL" else [*sorted(predictions.seen_actions.tolist()), *unseen]
    clips = predictions.is_unseen if kind == "ZSL" else np.ones(len(predictions.name), dtype=bool)
    counts = np.zeros((len(actions), len(actions)), dtype=np.int64)
    order = np.argsort(np.argsort(actions))  # confusion_matrix sorts; seen actions stand first here
    for seed in predictions.seeds:
        given = seed.zsl_action if kind == "ZSL" else seed.gzsl_action
        counts += confusion_matrix(predictions.action[clips], given[clips], actions)[np.ix_(order, order)]
    shares = np.round(100 * counts / counts.sum(axis=1, keepdims=True).clip(1), 1)  # (c, c)
    names = [run.named(action) for action in actions]
    labels = [short(name) for name in names]
    heatmap = go.Heatmap(
        z=shares.astype(np.float32),
        x=labels,
        y=labels,
        customdata=counts.astype(np.int32),
        colorscale="Cividis",
        zmin=0,
        zmax=100,
        hovertemplate="actual %{y}<br>predicted %{x}<br>%{z:.1f} % of its clips (%{customdata})<extra></extra>",
        colorbar={"title": {"text": "% of row"}, "thickness": 10, "orientation": "h", "y": 1.0, "yanchor": "bottom"},
    )
    figure = go.Figure(heatmap, layout(int(np.clip(16 * len(actions) + 260, 420, 1100))))
    figure.update_xaxes(axis("predicted", type="category", tickangle=-60, constrain="domain"))
    figure.update_yaxes(axis("actual", type="category", autorange="reversed"))
    if kind == "GZSL":
        edge = len(predictions.seen_actions) - 0.5
        line = {"color": "#ffffff", "width": 1.5, "dash": "dot"}
        figure.add_vline(edge, line=line)
        figure.add_hline(edge, line=line)
    title = "ZSL: unseen clips among unseen actions" if kind == "ZSL" else "GZSL: all clips among all actions"
    about = f"Percent of each action's clips, {_seeds(predictions)}; rows are what was shown."
    if kind == "GZSL":
        about += " Dotted lines: seen actions before them, unseen ones behind. Drag to zoom, double-click to go back."
    meta = {"names": names, "codes": [action_label(action) for action in actions]}
    return Plot(title, about, figure, meta, wide=len(actions) > WIDE_ACTIONS)


def _seeds(predictions: Predictions) -> str:
    return "one seed" if len(predictions.seeds) == 1 else f"{len(predictions.seeds)} seeds together"


def class_accuracy(predictions: Predictions, kind: str) -> dict[int, NDArray[np.float64]]:
    """Action -> percent of its clips that are right, one number a seed."""
    found: dict[int, NDArray[np.float64]] = {}
    clips = predictions.is_unseen if kind == "ZSL" else np.ones(len(predictions.name), dtype=bool)
    for action in np.unique(predictions.action[clips]).tolist():
        of = predictions.action == action
        given = [seed.zsl_action if kind == "ZSL" else seed.gzsl_action for seed in predictions.seeds]
        found[action] = np.array([100 * np.mean(named[of] == action) for named in given])
    return found


def accuracy_against_texts(
    run: RunData, predictions: Predictions, kind: str, nearest: dict[int, tuple[int, float]]
) -> Plot:
    """Accuracy of each action against the distance from its text to the nearest text it can be confused with."""
    figure = go.Figure(layout=layout(400))
    accuracies = class_accuracy(predictions, kind)
    unseen = set(predictions.unseen_actions.tolist())
    for name, colour, symbol, kept in (("seen", SEEN, "circle", False), ("unseen", UNSEEN, "diamond", True)):
        actions = [action for action in accuracies if (action in unseen) == kept]
        if not actions:
            continue
        values = [accuracies[action] for action in actions]
        text = [
            hover_text(
                run.named(action),
                f"{np.mean(value):.1f} % right" + (f" ± {np.std(value, ddof=1):.1f}" if len(value) > 1 else ""),
                f"nearest text: {run.named(nearest[action][0])}, {nearest[action][1]:.3f} away",
            )
            for action, value in zip(actions, values, strict=True)
        ]
        spread = [float(np.std(value, ddof=1)) if len(value) > 1 else 0.0 for value in values]
        figure.add_scatter(
            x=[nearest[action][1] for action in actions],
            y=[float(np.mean(value)) for value in values],
            error_y={
                "type": "data",
                "array": spread,
                "thickness": 1,
                "width": 2,
                "visible": len(predictions.seeds) > 1,
            },
            mode="markers",
            name=f"{name} actions",
            text=text,
            hovertemplate="%{text}<extra></extra>",
            marker={"color": colour, "symbol": symbol, "size": 9},
        )
    among = "another unseen action" if kind == "ZSL" else "another action"
    figure.update_xaxes(axis("distance to the nearest text", rangemode="tozero"))
    figure.update_yaxes(axis("accuracy, %", range=[-4, 104]))
    about = (
        f"One point an action; mean of the seeds, bars: standard deviation. Cosine distance to the text of {among} "
        f"({' + '.join(run.config.text.levels)})."
    )
    return Plot(f"{kind} accuracy against the nearest text", about, figure)


LOSSES = {
    "total": ("total", GREY),
    "skeleton": ("skeleton reconstruction", SEEN),
    "text": ("text reconstruction", UNSEEN),
    "skeleton_kl": ("skeleton KL", THIRD),
    "text_kl": ("text KL", FOURTH),
    "calibrated": ("calibrated", "#E69F00"),
    "cross": ("cross reconstruction", "#56B4E9"),
}


def learning(run: RunData, history: pd.DataFrame, phase: str) -> Plot:
    """Losses of one phase along training, means of the seeds."""
    figure = go.Figure(layout=layout(430))
    steps = run.config.train.steps_per_cycle
    table = history[history["phase"] == phase].assign(at=(history["cycle"] - 1) * steps + history["step"])
    means = table.groupby("at").mean(numeric_only=True)
    for column, (name, colour) in LOSSES.items():
        values = means[column].where(means[column] > 0)  # a loss that is off has no logarithm
        if values.notna().any():
            figure.add_scatter(
                x=means.index.to_numpy(),
                y=values.to_numpy(),
                mode="lines",
                name=name,
                connectgaps=False,
                line={"color": colour, "width": 3 if column == "total" else 2},
                hovertemplate="step %{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
            )
    for cycle in range(1, run.config.train.cycles):
        figure.add_vline(cycle * steps, line={"color": GREY, "width": 0.5})
    figure.update_xaxes(axis("step"))
    figure.update_yaxes(axis("loss, before its weight", type="log", dtick=1, exponentformat="power"))
    about = "Mean of the seeds; thin lines part the cycles. Click a name to hide or show its line."
    return Plot(f"FS-VAE, {phase} phase", about, figure)


def backbone_learning(reports: dict[str, list[dict[str, Any]]]) -> Plot:
    """Accuracy of each phase's backbone along its epochs."""
    figure = go.Figure(layout=layout(380))
    for phase, colour in zip(PHASES, (SEEN, UNSEEN), strict=True):
        for key, name, dash in (("train_top1", "training clips", "solid"), ("top1", "held-out clips", "dot")):
            rows = [row for row in reports.get(phase, []) if row.get(key) is not None]
            if rows:
                figure.add_scatter(
                    x=[row["epoch"] for row in rows],
                    y=[row[key] for row in rows],
                    mode="lines+markers",
                    name=f"{name}, {phase} phase",
                    line={"color": colour, "dash": dash},
                    hovertemplate="epoch %{x}: %{y:.1f} %<extra>%{fullData.name}</extra>",
                )
    figure.update_xaxes(axis("epoch"))
    figure.update_yaxes(axis("top-1, %", range=[0, 103]))
    return Plot("Backbone", "Top-1 accuracy of the Shift-GCN on the actions it was trained on.", figure)


def gains(run: RunData, found: Gains) -> Plot:
    """The gain of each DCT coefficient at the start and as learnt."""
    figure = go.Figure(layout=layout(380))
    coefficient = np.arange(len(found.start))
    hover = "coefficient %{x}, band %{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>"
    figure.add_scatter(
        x=coefficient,
        y=found.start,
        mode="lines",
        name="at the start",
        line={"color": GREY, "dash": "dash"},
        customdata=found.band,
        hovertemplate=hover,
    )
    for place, (seed, learnt) in enumerate(zip(run.seeds, found.learnt, strict=True)):
        figure.add_scatter(
            x=coefficient,
            y=learnt,
            mode="lines",
            name=f"learnt, seed {seed}",
            line={"color": COLOURS[place % len(COLOURS)], "width": 1.5},
            customdata=found.band,
            hovertemplate=hover,
        )
    settings = run.config.model.frequency
    figure.add_vline(settings.cutoff + 0.5, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.add_hline(1, line={"color": GREY, "width": 0.5})
    figure.update_xaxes(axis("DCT coefficient"))
    figure.update_yaxes(axis("gain"))
    about = (
        f"DCT of the skeleton feature, {settings.bands} bands, form {settings.form}; left of the dotted line are the "
        f"low coefficients (up to {settings.cutoff}). A gain of 1 leaves a coefficient as it is."
    )
    return Plot("Gains of the frequency module", about, figure)
