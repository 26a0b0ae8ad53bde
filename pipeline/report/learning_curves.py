"""The learning curves of a report: losses of the aligner, accuracies of the backbone."""

import itertools
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from data.phase_names import PHASES, PhaseName
from models.fsvae.losses import LOSSES
from pipeline.report.plot_style import COLOURS, GREY, SEEN, UNSEEN, Plot, axis, layout, short
from pipeline.report.run_data import RunData


def loss_curves(run: RunData, history: pd.DataFrame, phase: PhaseName) -> Plot:
    """Draw the losses of one phase over the steps of training, averaged over seeds.

    There is a curve for the total and for each other column of `history` that is a loss.
    """
    labels = {loss.name: loss.label for loss in LOSSES}
    losses = [name for name in history.columns if name not in ("seed", "phase", "cycle", "step", "total")]
    lines = {"total": {"color": GREY, "width": 3}}
    lines |= {name: {"color": colour, "width": 2} for name, colour in zip(losses, itertools.cycle((SEEN, *COLOURS)))}
    figure = go.Figure(layout=layout(430))
    steps = history["step"].max() + 1  # the last of each cycle is logged
    table = history[history["phase"] == phase].assign(at=(history["cycle"] - 1) * steps + history["step"])
    means = table.groupby("at").mean(numeric_only=True)
    for column, line in lines.items():
        values = means[column].where(means[column] > 0)  # a loss that is off has no logarithm
        if values.notna().any():
            figure.add_scatter(
                x=means.index.to_numpy(),
                y=values.to_numpy(),
                mode="lines",
                name=short(labels.get(column, column)),
                connectgaps=False,
                line=line,
                hovertemplate="step %{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
            )
    for cycle in range(1, int(history["cycle"].max())):
        figure.add_vline(cycle * steps, line={"color": GREY, "width": 0.5})
    figure.update_xaxes(axis("step"))
    figure.update_yaxes(axis("loss, before its weight", type="log", dtick=1, exponentformat="power"))
    caption = "Mean of the seeds; thin lines part the cycles. Click a name to hide or show its line."
    aligner = run.config.model.aligner
    return Plot(f"{'FS-VAE' if aligner == 'fsvae' else aligner}, {phase} phase", caption, figure)


def backbone_curves(reports: dict[str, list[dict[str, Any]]]) -> Plot:
    """Draw the accuracy of each phase's backbone over its epochs. `reports`: phase -> a report of each epoch."""
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
    return Plot("Backbone", "Top-1 accuracy of the backbone on the actions it was trained on.", figure)
