"""The worst mistakes of a run: where it was surest of a wrong action, with the clips to look at.

Letters: N test clips, S seen actions, U unseen actions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.stores.prediction_store import Predictions, SeedPredictions
from data.stores.skeleton_store import SkeletonStore
from models.zero_shot.gate import softmax
from pipeline.pages.skeleton_player import FRAMES_PER_SECOND, MovingSkeleton
from pipeline.report.data import Missing, RunData
from pipeline.show.show import read_stored

SHOWN = 6  # of each kind
MOST_FRAMES = 300  # of a shown clip; longer ones lose frames evenly


@dataclass(frozen=True)
class Mistake:
    """One clip that was named wrongly, with the probabilities of the wrong and of the right action."""

    kind: str  # "ZSL" or "GZSL"
    clip: str
    actual: int
    predicted: int
    wrong: float
    right: float
    skeleton: MovingSkeleton | Missing


def worst_mistakes(run: RunData) -> list[Mistake]:
    """The first seed's worst mistakes, ZSL before GZSL, one a pair of actions. Raises DataError without predictions."""
    predictions = run.predictions
    if isinstance(predictions, Missing):
        raise DataError(predictions.reason)
    seed = predictions.seeds[0]
    temperature = run.config.evaluate.gate.temperature
    zsl = _worst("ZSL", predictions, _zsl_scores(predictions, seed), seed.zsl_action, predictions.is_unseen)
    everything = np.ones(len(predictions.name), dtype=bool)
    scores = _gzsl_scores(predictions, seed, temperature)
    gzsl = _worst("GZSL", predictions, scores, seed.gzsl_action, everything)
    return _with_skeletons(run, [*zsl, *gzsl])


def _actions(predictions: Predictions) -> NDArray[np.int64]:
    return np.concatenate((predictions.seen_actions, predictions.unseen_actions))


def _zsl_scores(predictions: Predictions, seed: SeedPredictions) -> NDArray[np.float64]:
    """(N, S + U): the unseen classifier's probabilities, none for seen actions."""
    seen = np.zeros((len(predictions.name), len(predictions.seen_actions)))
    return np.concatenate((seen, seed.unseen_probabilities), axis=1)


def _gzsl_scores(predictions: Predictions, seed: SeedPredictions, temperature: float) -> NDArray[np.float64]:
    """(N, S + U): both classifiers' probabilities, weighted by the gate's."""
    gate = seed.gate[:, None].astype(np.float64)
    seen = (1 - gate) * softmax(predictions.seen_logits, temperature)
    return np.concatenate((seen, gate * seed.unseen_probabilities), axis=1)


def _worst(
    kind: str,
    predictions: Predictions,
    scores: NDArray[np.float64],
    predicted: NDArray[np.int64],
    among: NDArray[np.bool_],
) -> Iterator[Mistake]:
    """The clips whose wrong action scores furthest above the right one, each pair of actions once."""
    column = {int(action): index for index, action in enumerate(_actions(predictions))}
    wrong_clips = np.flatnonzero(among & (predicted != predictions.action))
    rows = [column[int(action)] for action in predicted[wrong_clips]]
    right = scores[wrong_clips, [column[int(action)] for action in predictions.action[wrong_clips]]]
    wrong = scores[wrong_clips, rows]
    seen_pairs: set[tuple[int, int]] = set()
    for place in np.argsort(right - wrong, kind="stable"):
        clip = wrong_clips[place]
        pair = int(predictions.action[clip]), int(predicted[clip])
        if pair in seen_pairs or len(seen_pairs) == SHOWN:
            continue
        seen_pairs.add(pair)
        name = str(predictions.name[clip])
        yield Mistake(kind, name, *pair, float(wrong[place]), float(right[place]), Missing("not looked up"))


def _with_skeletons(run: RunData, mistakes: list[Mistake]) -> list[Mistake]:
    """The same with their clips out of skeletons.h5, or why they can't be shown."""
    if not mistakes:
        return []
    try:
        with SkeletonStore(run.workspace.skeletons) as store:
            return [_with_skeleton(store, mistake) for mistake in mistakes]
    except DataError as error:
        return [replace(mistake, skeleton=Missing(str(error))) for mistake in mistakes]


def _with_skeleton(store: SkeletonStore, mistake: Mistake) -> Mistake:
    places = np.flatnonzero(store.name == mistake.clip)
    if not len(places):
        return replace(mistake, skeleton=Missing(f"skeletons.h5 has no clip {mistake.clip}"))
    return replace(mistake, skeleton=read_stored(store, int(places[0]), FRAMES_PER_SECOND, MOST_FRAMES))
