"""Accuracies in percent, the harmonic mean, the area under the ROC curve, and the confusion matrix.

Letters: N clips, C actions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Actions = NDArray[np.int64]


def top1(actual: Actions, predicted: Actions) -> float:
    """Micro accuracy: the share of N clips that are right, in percent. NaN when N = 0."""
    return float(100 * np.mean(actual == predicted)) if len(actual) else float("nan")


def per_class(actual: Actions, predicted: Actions) -> float:
    """The mean over the actions that occur of the share of each one's clips that are right, in percent."""
    actions, inverse = np.unique(actual, return_inverse=True)
    if not len(actions):
        return float("nan")
    right = np.bincount(inverse, weights=actual == predicted)
    return float(100 * np.mean(right / np.bincount(inverse)))


def harmonic_mean(seen: float, unseen: float) -> float:
    """H = 2 S U / (S + U); 0 when both are 0."""
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """How often a positive clip has a higher score than another one, in percent; equal scores count half. (N,) each.

    50 is a guess. NaN when all clips are of one kind.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, place, clips = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (clips.cumsum() - (clips - 1) / 2)[place]  # (N,), from 1; equal scores have the mean of their ranks
    above = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(100 * above / (positives * negatives))


def confusion_matrix(actual: Actions, predicted: Actions, actions: Sequence[int]) -> NDArray[np.int64]:
    """(C, C) counts: row = the clip's action, column = the predicted one, both in the order of sorted `actions`."""
    order = np.asarray(sorted(actions))
    counts = np.zeros((len(order), len(order)), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(order, actual), np.searchsorted(order, predicted)), 1)
    return counts
