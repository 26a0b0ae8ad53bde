"""The gate decides whether a clip shows a seen or an unseen action. `route` combines both classifiers with it.

The gate is a logistic regression. Its inputs are the u largest unseen probabilities of a clip and its u largest seen
probabilities, each sorted. Seen probabilities are the backbone's softmax at a temperature. The gate is fitted on the
val phase, where pseudo-unseen actions stand for the unseen ones. u is the smallest number of seen or unseen actions
in either phase, so that one gate fits both (ours; published splits have as many unseen actions in either phase, and
more seen ones).

The val phase has many more unseen clips than seen ones: all training clips of the pseudo-unseen actions, but only the
held-out clips of the others. A plain fit learns that share. At a threshold of 0.5 it then sends nearly every clip of
the test phase to the unseen side, and S and H are 0 even with a good backbone. A balanced fit gives both kinds the
same weight (ours).

The released code fits a softmax regression with two outputs. At its optimum the outputs have the weights w and -w.
This equals a logistic regression with the weights 2 w and half the penalty, so its C = 1 is c = 2 here.
Letters: N clips, S seen actions, U unseen actions.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Routing = Literal["hard", "soft", "stacking"]  # `route` says what each does


def softmax(scores: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Row-wise softmax of scores / temperature, (N, S) -> (N, S)."""
    scaled = scores.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def gate_features(unseen_probabilities: Floats, seen_probabilities: Floats, top: int) -> Floats:
    """The `top` largest unseen beside the `top` largest seen probabilities, falling. (N, U), (N, S) -> (N, 2 top).

    Needs `top` <= U and S.
    """
    parts = (-np.sort(-part, axis=1)[:, :top] for part in (unseen_probabilities, seen_probabilities))
    return np.concatenate(tuple(parts), axis=1)


@dataclass(frozen=True)
class Gate:
    """A fitted logistic regression."""

    weights: Floats
    bias: float

    @classmethod
    def fit(cls, features: Floats, unseen: Bools, c: float, balanced: bool = False) -> Self:
        """Fit to (N, F) gate features; `unseen` (N,) marks unseen clips. Raises ModelError if all are of one kind.

        `balanced` gives the two kinds the same weight in the fit (ours).
        """
        from sklearn.linear_model import LogisticRegression  # a second of importing, which a fitted gate does not need

        if unseen.all() or not unseen.any():
            raise ModelError("the gate needs seen and unseen clips of the val phase; there is only one kind")
        weight = "balanced" if balanced else None
        regression = LogisticRegression(C=c, max_iter=1000, class_weight=weight).fit(features, unseen)
        return cls(regression.coef_[0].astype(np.float64), float(regression.intercept_[0]))

    def probability(self, features: Floats) -> Floats:
        """The probability that each clip's action is unseen, (N, F) -> (N,)."""
        return np.asarray(1 / (1 + np.exp(-(features @ self.weights + self.bias))))


def fitted_clips(unseen: Bools, held_out: float, generator: np.random.Generator) -> Bools:
    """Return which clips a gate is fitted to, (N,): all but a share `held_out` of the seen and of the unseen clips.

    The released code holds out a fifth, to print how often the gate is right on them. At least one clip of each kind is
    always fitted.
    """
    fitted = np.ones_like(unseen)
    for kind in (np.flatnonzero(unseen), np.flatnonzero(~unseen)):
        fitted[generator.choice(kind, int(held_out * len(kind)), replace=False)] = False
    return fitted


def best_threshold(scores: Floats, unseen: Bools, right_if_seen: Bools, right_if_unseen: Bools) -> float:
    """Return the threshold on `scores` (N,) with the best H. Clips at or above it count as unseen.

    `right_if_seen` and `right_if_unseen` (N,) say whether the predicted action is right if the clip counts as seen, or
    as unseen. The threshold lies halfway between two neighbouring scores. Of several best ones it is the lowest.
    """
    order = np.argsort(scores, kind="stable")
    hits_seen = np.concatenate(([0], np.cumsum((~unseen & right_if_seen)[order])))  # below the cut
    hits_unseen = (unseen & right_if_unseen).sum() - np.concatenate(([0], np.cumsum((unseen & right_if_unseen)[order])))
    seen, hit = hits_seen / max(1, (~unseen).sum()), hits_unseen / max(1, unseen.sum())
    ordered = scores[order]
    cuts = np.concatenate(([ordered[0] - 1e-6], (ordered[:-1] + ordered[1:]) / 2, [ordered[-1] + 1e-6]))
    distinct = np.concatenate(([True], ordered[1:] > ordered[:-1], [True]))  # a cut can't part equal scores
    h = np.where(distinct, 2 * seen * hit / np.maximum(seen + hit, 1e-12), -1)
    return float(cuts[int(np.argmax(h))])


def route(
    kind: Routing,
    unseen_probabilities: Floats,
    seen_probabilities: Floats,
    gate: Floats,
    level: float,
) -> tuple[NDArray[np.int64], Bools]:
    """Return the predicted column of each clip, and whether it is a column of the unseen (N, U) or seen (N, S) ones.

    hard      unseen where the gate's probability (N,) reaches `level`
    soft      the largest of gate * unseen probability and (1 - gate) * seen probability; `level` is not used
    stacking  no gate: the largest of unseen probability and seen probability - `level` (calibrated stacking)
    """
    best_unseen, best_seen = unseen_probabilities.max(axis=1), seen_probabilities.max(axis=1)
    if kind == "hard":
        unseen = gate >= level
    elif kind == "soft":
        unseen = gate * best_unseen > (1 - gate) * best_seen
    else:
        unseen = best_unseen >= best_seen - level
    column = np.where(unseen, unseen_probabilities.argmax(axis=1), seen_probabilities.argmax(axis=1))
    return column, unseen
