"""The map of the latent space in a report: mean latents of clips and texts on two principal components.

Letters: n clips on the map, c actions, Z latent.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from data.errors import DataError
from data.random_streams import LATENT_MAP_CLIPS
from data.splits import action_label
from data.stores.feature_store import read_features
from data.stores.prediction_store import Predictions
from models.aligners.fsvae import load_fsvae
from pipeline.phases.features_and_texts import text_matrix
from pipeline.report.plot_style import COLOURS, GREY, SEEN, SYMBOLS, UNSEEN, Plot, axis, hover_text, layout, short
from pipeline.report.run_data import Missing, RunData, read_headline_weights

SHOWN_CLIPS = 1000  # of seen actions, and as many of unseen ones; a map of more clips is slow and shows no more


@dataclass(frozen=True)
class LatentMap:
    """Mean latents of clips and texts of one seed, on their first two principal components."""

    seed: int
    clip: NDArray[np.str_]  # (n,), names
    clip_action: NDArray[np.int64]  # (n,)
    clip_points: NDArray[np.float64]  # (n, 2)
    action: NDArray[np.int64]  # (c,)
    text_points: NDArray[np.float64]  # (c, 2)
    variance_shares: NDArray[np.float64]  # (2,), of the variance of clips and texts together
    test_clips: int  # the number of clips that those on the map were drawn from


def latent_map(run: RunData) -> LatentMap:
    """Encode test clips and all texts with the first seed's model. Raises DataError, PipelineError or ModelError."""
    predictions = run.predictions
    if isinstance(predictions, Missing):
        raise DataError(predictions.reason)
    seed = run.seeds[0]
    weights = read_headline_weights(run, seed)
    shown = _drawn_clips(predictions)
    clip_features = _features_of(run, predictions.name[shown])  # (n, D_s)
    actions = np.sort(np.concatenate((predictions.seen_actions, predictions.unseen_actions)))
    text_features = text_matrix(run.context, run.config.text.levels, actions.tolist())  # (c, D_t)
    model = load_fsvae(weights, text_features.shape[1], run.config.model)
    with torch.no_grad():
        clip_latents = model.encode_skeletons(torch.from_numpy(clip_features))[0].double().numpy()  # (n, Z)
        text_latents = model.encode_texts(torch.from_numpy(text_features))[0].double().numpy()  # (c, Z)
    pca = PCA(n_components=2, svd_solver="full").fit(np.concatenate((clip_latents, text_latents)))
    return LatentMap(
        seed,
        predictions.name[shown],
        predictions.action[shown],
        pca.transform(clip_latents),
        actions,
        pca.transform(text_latents),
        pca.explained_variance_ratio_,
        len(predictions.name),
    )


def _drawn_clips(predictions: Predictions) -> NDArray[np.int64]:
    """Return the rows of the clips on the map: all of them, or SHOWN_CLIPS of seen and as many of unseen actions.

    The same run always gives the same clips.
    """
    generator = LATENT_MAP_CLIPS.generator()
    drawn = []
    for of_kind in (~predictions.is_unseen, predictions.is_unseen):
        rows = np.flatnonzero(of_kind)
        if len(rows) > SHOWN_CLIPS:
            rows = np.sort(generator.choice(rows, SHOWN_CLIPS, replace=False))
        drawn.append(rows)
    return np.concatenate(drawn)


def _features_of(run: RunData, clips: NDArray[np.str_]) -> NDArray[np.float32]:
    """Return the test phase's skeleton features of the `clips` (n,). Raises DataError when the file lacks a clip."""
    path = run.workspace.features("test")
    features = read_features(path)
    row = {str(name): index for index, name in enumerate(features.name)}
    absent = [name for name in clips if str(name) not in row]
    if absent:
        raise DataError(f"{path}: has no clip {absent[0]}, which the run was scored on")
    return features.features[[row[str(name)] for name in clips]]


def latent_map_plot(run: RunData, points: LatentMap, unseen: set[int]) -> Plot:
    """Draw the map. Each unseen action gets a colour of its own, unless there are more of them than colours."""
    figure = go.Figure(layout=layout(560))
    actions = sorted(unseen)
    own_colours = dict(zip(actions, COLOURS, strict=False)) if len(actions) <= len(COLOURS) else {}
    of_unseen = np.isin(points.clip_action, actions)
    _add_clips(figure, run, points, ~of_unseen, "clips of seen actions", GREY, "circle-open", 5)
    if own_colours:
        for (action, colour), symbol in zip(own_colours.items(), SYMBOLS, strict=False):
            _add_clips(figure, run, points, points.clip_action == action, short(run.named(action)), colour, symbol, 7)
    else:
        _add_clips(figure, run, points, of_unseen, "clips of unseen actions", UNSEEN, "circle", 6)
    is_unseen = np.isin(points.action, actions)
    _add_texts(figure, run, points, ~is_unseen, "texts of seen actions", SEEN, "markers")
    text_colours = [own_colours[action] for action in points.action[is_unseen].tolist()] if own_colours else UNSEEN
    mode = "markers+text" if own_colours else "markers"
    _add_texts(figure, run, points, is_unseen, "texts of unseen actions", text_colours, mode)
    first, second = 100 * points.variance_shares
    figure.update_xaxes(axis(f"first component ({first:.0f} % of the variance)"))
    figure.update_yaxes(axis(f"second component ({second:.0f} %)"))
    shown = len(points.clip)
    drawn = f"{shown} of {points.test_clips} test clips, drawn at random"
    caption = (
        f"Mean latents of seed {points.seed}: {drawn if shown < points.test_clips else 'all test clips'}; diamonds are "
        "texts. Principal components of clips and texts together. Two dimensions show only part of the distances."
    )
    return Plot("Skeleton and text latents", caption, figure, {"sampled": shown})


def _add_clips(
    figure: go.Figure,
    run: RunData,
    points: LatentMap,
    clips: NDArray[np.bool_],  # (n,)
    name: str,
    colour: str,
    symbol: str,
    size_pixels: int,
) -> None:
    if clips.any():
        figure.add_scatter(
            x=points.clip_points[clips, 0].astype(np.float32),
            y=points.clip_points[clips, 1].astype(np.float32),
            mode="markers",
            name=name,
            text=[
                hover_text(str(clip), run.named(int(action)))
                for clip, action in zip(points.clip[clips], points.clip_action[clips], strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={"color": colour, "symbol": symbol, "size": size_pixels, "opacity": 0.75},
        )


def _add_texts(
    figure: go.Figure,
    run: RunData,
    points: LatentMap,
    texts: NDArray[np.bool_],  # (c,)
    name: str,
    colour: str | list[str],  # one for all texts, or one each
    mode: str,
) -> None:
    actions = points.action[texts].tolist()
    figure.add_scatter(
        x=points.text_points[texts, 0].astype(np.float32),
        y=points.text_points[texts, 1].astype(np.float32),
        mode=mode,
        text=[action_label(action) for action in actions],
        textposition="top center",
        customdata=[hover_text("text of", run.named(action)) for action in actions],
        name=name,
        marker={"color": colour, "symbol": "diamond", "size": 13, "line": {"color": "#ffffff", "width": 1.5}},
        hovertemplate="%{customdata}<extra></extra>",
    )
