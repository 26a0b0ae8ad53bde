"""The confusion matrix of a report: which actions are taken for which. Letters: c actions."""

import numpy as np
import plotly.graph_objects as go

from data.splits import action_label
from data.stores.prediction_store import Predictions, Task
from models.zero_shot.metrics import confusion_matrix
from pipeline.report.plot_style import Plot, axis, layout, short
from pipeline.report.run_data import RunData

WIDE_ACTIONS = 20  # a matrix of more actions takes the whole width of the page


def confusion_plot(run: RunData, predictions: Predictions, task: Task) -> Plot:
    """Draw the confusion matrix over all seeds: rows are actual actions, columns predicted ones, in percent of the row.

    Actions are sorted. In GZSL the seen ones come first.
    """
    unseen = sorted(predictions.unseen_actions.tolist())
    actions = unseen if task == "ZSL" else [*sorted(predictions.seen_actions.tolist()), *unseen]
    clips = predictions.scored_clips(task)
    counts = np.zeros((len(actions), len(actions)), dtype=np.int64)
    order = np.argsort(np.argsort(actions))  # confusion_matrix sorts the actions; here the seen ones stand first
    for seed in predictions.seeds:
        predicted = seed.predicted(task)[clips]
        counts += confusion_matrix(predictions.action[clips], predicted, actions)[np.ix_(order, order)]
    percent = np.round(100 * counts / counts.sum(axis=1, keepdims=True).clip(1), 1)  # (c, c)
    names = [run.named(action) for action in actions]
    labels = [short(name) for name in names]
    heatmap = go.Heatmap(
        z=percent.astype(np.float32),
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
    if task == "GZSL":
        _mark_last_seen_action(figure, len(predictions.seen_actions))
    meta = {"names": names, "codes": [action_label(action) for action in actions]}
    title = "ZSL: unseen clips among unseen actions" if task == "ZSL" else "GZSL: all clips among all actions"
    return Plot(title, _caption(len(predictions.seeds), task), figure, meta, wide=len(actions) > WIDE_ACTIONS)


def _mark_last_seen_action(figure: go.Figure, seen_actions: int) -> None:
    """Draw dotted lines between the seen and the unseen actions."""
    line = {"color": "#ffffff", "width": 1.5, "dash": "dot"}
    figure.add_vline(seen_actions - 0.5, line=line)
    figure.add_hline(seen_actions - 0.5, line=line)


def _caption(seeds: int, task: Task) -> str:
    counted = "one seed" if seeds == 1 else f"{seeds} seeds together"
    caption = f"Percent of each action's clips, {counted}. Rows are actual actions, columns predicted ones."
    if task == "GZSL":
        caption += " Dotted lines part the seen actions from the unseen ones. Drag to zoom, double-click to go back."
    return caption
