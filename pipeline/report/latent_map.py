"""The map of skeleton and text latents. Letters: n shown clips, c actions."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.splits import action_label
from pipeline.report.frequency_gains import LatentMap
from pipeline.report.plot_style import COLOURS, GREY, SEEN, SYMBOLS, UNSEEN, Plot, axis, hover_text, layout, short
from pipeline.report.run_data import RunData


def latent_figure(run: RunData, found: LatentMap, unseen: set[int]) -> Plot:
    """Clips and texts on two principal components; unseen actions each in a colour while colours last."""
    figure = go.Figure(layout=layout(560))
    kept = np.isin(found.clip_action, list(unseen))
    _clips(figure, run, found, ~kept, "clips of seen actions", GREY, "circle-open", 5)
    actions = sorted(unseen)
    apart = len(actions) <= len(COLOURS)
    for place, action in enumerate(actions if apart else []):
        name = short(run.named(action))
        _clips(figure, run, found, found.clip_action == action, name, COLOURS[place], SYMBOLS[place], 7)
    if not apart:
        _clips(figure, run, found, kept, "clips of unseen actions", UNSEEN, "circle", 6)
    for name, chosen, colour in (
        ("texts of seen actions", ~np.isin(found.action, actions), SEEN),
        ("texts of unseen actions", np.isin(found.action, actions), UNSEEN),
    ):
        shown = found.action[chosen]
        each = (
            [COLOURS[actions.index(a)] for a in shown.tolist()] if apart and name.startswith("texts of un") else colour
        )
        figure.add_scatter(
            x=found.texts[chosen, 0].astype(np.float32),
            y=found.texts[chosen, 1].astype(np.float32),
            mode="markers+text" if name.startswith("texts of un") and apart else "markers",
            text=[action_label(int(action)) for action in shown],
            textposition="top center",
            customdata=[hover_text("text of", run.named(int(action))) for action in shown],
            name=name,
            marker={"color": each, "symbol": "diamond", "size": 13, "line": {"color": "#ffffff", "width": 1.5}},
            hovertemplate="%{customdata}<extra></extra>",
        )
    one, two = 100 * found.explained
    figure.update_xaxes(axis(f"first component ({one:.0f} % of the variance)"))
    figure.update_yaxes(axis(f"second component ({two:.0f} %)"))
    sample = (
        f"{len(found.clip)} of {found.out_of} test clips, drawn at random"
        if len(found.clip) < found.out_of
        else "all test clips"
    )
    about = (
        f"Mean latents of seed {found.seed}: {sample}; diamonds are texts. Principal components of clips and texts "
        "together; two dimensions show a part of the distances only."
    )
    return Plot("Skeleton and text latents", about, figure, {"sampled": len(found.clip)})


def _clips(
    figure: go.Figure,
    run: RunData,
    found: LatentMap,
    chosen: NDArray[np.bool_],
    name: str,
    colour: str,
    symbol: str,
    size: int,
) -> None:
    if chosen.any():
        figure.add_scatter(
            x=found.clips[chosen, 0].astype(np.float32),
            y=found.clips[chosen, 1].astype(np.float32),
            mode="markers",
            name=name,
            text=[
                hover_text(str(clip), run.named(int(a)))
                for clip, a in zip(found.clip[chosen], found.clip_action[chosen], strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.75},
        )
