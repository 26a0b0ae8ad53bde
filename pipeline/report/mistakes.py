"""The worst mistakes of a run: the clips where the model was surest of a wrong action.

Letters: N test clips, S seen actions, U unseen actions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.stores.prediction_store import Predictions, SeedPredictions, Task
from data.stores.skeleton_store import SkeletonStore
from models.zero_shot.gate import softmax
from pipeline.messages.errors import PipelineError
from pipeline.pages.skeleton_player import MovingSkeleton
from pipeline.report.run_data import Missing, RunData
from pipeline.show.show import read_stored
from pipeline.workspace.provenance import stored_fps

MOST_MISTAKES = 6  # of each task
MOST_FRAMES = 300  # of a clip in the page; longer clips lose frames evenly


@dataclass(frozen=True)
class Mistake:
    """A clip with a wrong prediction, and the probabilities of the predicted and of the actual action."""

    task: Task
    clip: str
    actual: int
    predicted: int
    predicted_probability: float
    actual_probability: float
    skeleton: MovingSkeleton | Missing


def worst_mistakes(run: RunData) -> list[Mistake]:
    """Return the first seed's worst mistakes in ZSL, then in GZSL. Each pair of actions occurs once.

    Raises DataError when predictions.h5 is missing or damaged.
    """
    predictions = run.predictions
    if isinstance(predictions, Missing):
        raise DataError(predictions.reason)
    seed = predictions.seeds[0]
    temperature = run.config.evaluate.gate.temperature
    zsl = _worst("ZSL", predictions, seed, _zsl_probabilities(predictions, seed))
    gzsl = _worst("GZSL", predictions, seed, _gzsl_probabilities(predictions, seed, temperature))
    return _with_skeletons(run, [*zsl, *gzsl])


def _zsl_probabilities(predictions: Predictions, seed: SeedPredictions) -> NDArray[np.float64]:
    """(N, S + U): zero for seen actions, the unseen classifier's probabilities for the others."""
    seen = np.zeros((len(predictions.name), len(predictions.seen_actions)))
    return np.concatenate((seen, seed.unseen_probabilities), axis=1)


def _gzsl_probabilities(predictions: Predictions, seed: SeedPredictions, temperature: float) -> NDArray[np.float64]:
    """(N, S + U): the probabilities of both classifiers, weighted by the gate's."""
    gate = seed.gate[:, None].astype(np.float64)  # (N, 1)
    seen = (1 - gate) * softmax(predictions.seen_logits, temperature)
    return np.concatenate((seen, gate * seed.unseen_probabilities), axis=1)


def _worst(
    task: Task, predictions: Predictions, seed: SeedPredictions, probabilities: NDArray[np.float64]
) -> Iterator[Mistake]:
    """Yield the clips whose predicted action is most probable, less the probability of the actual one."""
    actions = np.concatenate((predictions.seen_actions, predictions.unseen_actions))
    column = {int(action): index for index, action in enumerate(actions)}
    predicted = seed.predicted(task)
    clips = np.flatnonzero(predictions.scored_clips(task) & (predicted != predictions.action))
    wrong = probabilities[clips, [column[int(action)] for action in predicted[clips]]]
    right = probabilities[clips, [column[int(action)] for action in predictions.action[clips]]]
    pairs: set[tuple[int, int]] = set()
    for index in np.argsort(right - wrong, kind="stable"):
        clip = clips[index]
        pair = int(predictions.action[clip]), int(predicted[clip])
        if pair in pairs or len(pairs) == MOST_MISTAKES:
            continue
        pairs.add(pair)
        name = str(predictions.name[clip])
        yield Mistake(task, name, *pair, float(wrong[index]), float(right[index]), Missing("not looked up"))


def _with_skeletons(run: RunData, mistakes: list[Mistake]) -> list[Mistake]:
    """Return `mistakes` with their clips from skeletons.h5, or with the reason why a clip can't be shown."""
    if not mistakes:
        return []
    try:
        with SkeletonStore(run.workspace.skeletons) as store:
            fps = stored_fps(run.workspace.skeletons)
            return [_with_skeleton(store, mistake, fps) for mistake in mistakes]
    except (DataError, PipelineError) as error:
        return [replace(mistake, skeleton=Missing(str(error))) for mistake in mistakes]


def _with_skeleton(store: SkeletonStore, mistake: Mistake, fps: float) -> Mistake:
    rows = np.flatnonzero(store.name == mistake.clip)
    if not len(rows):
        return replace(mistake, skeleton=Missing(f"skeletons.h5 has no clip {mistake.clip}"))
    row = int(rows[0])
    return replace(mistake, skeleton=read_stored(store, row, fps or float(store.fps[row]), MOST_FRAMES))
