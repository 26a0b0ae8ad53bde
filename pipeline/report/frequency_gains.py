"""The gains of the frequency module in a report: read from the weights of a run, and their plot.

Letters: D coefficients.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from models.aligners.fsvae import skeleton_size
from models.fsvae.frequency import FrequencyModule
from pipeline.messages.errors import PipelineError
from pipeline.report.plot_style import COLOURS, GREY, Plot, axis, layout
from pipeline.report.run_data import RunData, read_headline_weights

SKELETON_MODULE = "skeleton_frequency."  # what the module's tensors are called


@dataclass(frozen=True)
class Gains:
    """The gains of the frequency module of the skeleton branch."""

    initial: NDArray[np.float32]  # (D,), before training
    learnt: NDArray[np.float32]  # (seeds, D)
    band: NDArray[np.int64]  # (D,), the band of each coefficient
    low: int  # how many coefficients, from the first on, count as low


def read_gains(run: RunData) -> Gains:
    """Read the gains of every seed, after the last cycle that the headline's rule took in the test phase.

    Raises PipelineError when the run has no frequency module, DataError when its weights can't be read.
    """
    settings = run.config.model.frequency
    if settings.apply_to == "none":
        raise PipelineError('the run has no frequency module (model.frequency.apply_to = "none")')
    learnt = []
    for seed in run.seeds:
        weights = read_headline_weights(run, seed)
        module = FrequencyModule(skeleton_size(weights, run.config.model), settings)
        initial = module.gains().detach().numpy().copy()
        module.load_state_dict(
            {k.removeprefix(SKELETON_MODULE): v for k, v in weights.items() if k.startswith(SKELETON_MODULE)}
        )
        learnt.append(module.gains().detach().numpy())
    return Gains(initial, np.stack(learnt), module.band.numpy(), int((module.slope > 0).sum()))


def gains_plot(run: RunData, gains: Gains) -> Plot:
    """Draw the gain of each DCT coefficient before training, and as learnt with each seed."""
    figure = go.Figure(layout=layout(380))
    coefficient = np.arange(len(gains.initial))
    hover = "coefficient %{x}, band %{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>"
    figure.add_scatter(
        x=coefficient,
        y=gains.initial,
        mode="lines",
        name="at the start",
        line={"color": GREY, "dash": "dash"},
        customdata=gains.band,
        hovertemplate=hover,
    )
    for index, (seed, learnt) in enumerate(zip(run.seeds, gains.learnt, strict=True)):
        figure.add_scatter(
            x=coefficient,
            y=learnt,
            mode="lines",
            name=f"learnt, seed {seed}",
            line={"color": COLOURS[index % len(COLOURS)], "width": 1.5},
            customdata=gains.band,
            hovertemplate=hover,
        )
    settings = run.config.model.frequency
    figure.add_vline(gains.low - 0.5, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.add_hline(1, line={"color": GREY, "width": 0.5})
    figure.update_xaxes(axis("DCT coefficient"))
    figure.update_yaxes(axis("gain"))
    caption = (
        f"DCT of the skeleton feature, {settings.bands} bands, form {settings.form}; left of the dotted line are the "
        f"{gains.low} low coefficients. A gain of 1 leaves a coefficient as it is."
    )
    return Plot("Gains of the frequency module", caption, figure)
