"""What a report computes from a run's weights: learnt gains, and the latent space in two dimensions.

Letters: n shown clips, c actions, D features, Z latent.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from data.errors import DataError
from data.random_streams import LATENT_MAP_CLIPS
from data.stores.feature_store import read_features
from data.stores.prediction_store import Predictions
from models.aligners.fsvae import load_fsvae, skeleton_size
from models.fsvae.frequency import FrequencyModule
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import text_matrix
from pipeline.report.data import Missing, RunData
from pipeline.workspace.tensor_store import read_state, require_as_written

SHOWN_CLIPS = 1000  # of seen and of unseen actions each; a map of more is slow and shows no more


@dataclass(frozen=True)
class Gains:
    """The gains of the frequency module on D coefficients: at the start, and learnt, one row a seed."""

    start: NDArray[np.float32]  # (D,)
    learnt: NDArray[np.float32]  # (seeds, D)
    band: NDArray[np.int64]  # (D,)


@dataclass(frozen=True)
class LatentMap:
    """Mean latents of clips and texts of one seed, on their first two principal components."""

    seed: int
    clip: NDArray[np.str_]  # (n,)
    clip_action: NDArray[np.int64]  # (n,)
    clips: NDArray[np.float64]  # (n, 2)
    action: NDArray[np.int64]  # (c,)
    texts: NDArray[np.float64]  # (c, 2)
    explained: NDArray[np.float64]  # (2,) shares of the variance
    out_of: int  # clips that the shown ones were drawn from


def _require_fsvae(run: RunData) -> None:
    """Raise PipelineError when the run's aligner is another one, which has no latents and no gains."""
    if run.config.model.aligner != "fsvae":
        raise PipelineError(f'the aligner "{run.config.model.aligner}" has no latent space and no frequency module')


def _cycle(run: RunData, seed: int) -> int:
    """The cycle that the headline's rule took in the test phase."""
    return int(run.results["seeds"][str(seed)][run.rule]["cycle"])


def _state(run: RunData, seed: int) -> dict[str, torch.Tensor]:
    require_as_written(run.folder.model)
    return read_state(run.folder.model, seed, "test", _cycle(run, seed))


def read_gains(run: RunData) -> Gains:
    """The skeleton branch's gains. Raises PipelineError when the run has no frequency module, DataError."""
    _require_fsvae(run)
    settings = run.config.model.frequency
    if settings.apply_to == "none":
        raise PipelineError('the run has no frequency module (model.frequency.apply_to = "none")')
    learnt = []
    for seed in run.seeds:
        state = _state(run, seed)
        module = FrequencyModule(skeleton_size(state, run.config.model), settings)
        start = module.gains().detach().numpy().copy()
        prefix = "skeleton_frequency."
        module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        learnt.append(module.gains().detach().numpy())
    return Gains(start, np.stack(learnt), module.band.numpy())


def latent_map(run: RunData) -> LatentMap:
    """The first seed's latents of test clips and of all texts. Raises DataError, PipelineError or ModelError."""
    _require_fsvae(run)
    predictions = run.predictions
    if isinstance(predictions, Missing):
        raise DataError(predictions.reason)
    seed = run.seeds[0]
    state = _state(run, seed)
    features = read_features(run.workspace.features("test"))
    place = {str(name): index for index, name in enumerate(features.name)}
    shown = _draw(predictions)
    gone = [name for name in predictions.name[shown] if str(name) not in place]
    if gone:
        raise DataError(f"{run.workspace.features('test')}: has no clip {gone[0]}, which the run was scored on")
    rows = features.features[[place[str(name)] for name in predictions.name[shown]]]
    actions = np.sort(np.concatenate((predictions.seen_actions, predictions.unseen_actions)))
    texts = text_matrix(run.context, run.config.text.levels, actions.tolist())
    model = load_fsvae(state, texts.shape[1], run.config.model)
    with torch.no_grad():
        clips = model.encode_skeletons(torch.from_numpy(rows))[0].double().numpy()  # (n, Z)
        words = model.encode_texts(torch.from_numpy(texts))[0].double().numpy()  # (c, Z)
    pca = PCA(n_components=2, svd_solver="full").fit(np.concatenate((clips, words)))
    return LatentMap(
        seed,
        predictions.name[shown],
        predictions.action[shown],
        pca.transform(clips),
        actions,
        pca.transform(words),
        pca.explained_variance_ratio_,
        len(predictions.name),
    )


def _draw(predictions: Predictions) -> NDArray[np.int64]:
    """The clips to show: all, or SHOWN_CLIPS of each kind, the same ones each time."""
    generator = LATENT_MAP_CLIPS.generator()
    chosen = []
    for kind in (~predictions.is_unseen, predictions.is_unseen):
        places = np.flatnonzero(kind)
        if len(places) > SHOWN_CLIPS:
            places = np.sort(generator.choice(places, SHOWN_CLIPS, replace=False))
        chosen.append(places)
    return np.concatenate(chosen)
