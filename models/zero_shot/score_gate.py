"""A gate of three scores, each higher for clips of unseen actions. Ours.

entropy    of the backbone's softmax over the S seen actions, as a share of the largest, log S: 0 when it is sure of one
           action, 1 when it holds all for equally likely, whatever their number is
distance   the squared Mahalanobis distance to the nearest class mean of the seen actions' training clips
text       how much better the best unseen text fits the clip than the best seen one (logarithms of probabilities)

Each score is replaced by its rank among the scored clips of the val phase, a number from 0 to 1. Ranks need no scale.
The gate is their weighted mean; the text counts twice, because it alone knows anything of the unseen actions.

A threshold of the val phase does not hold in the test phase: another backbone gives other scores, and the number of
actions differs. What is carried over is a share: as many seen clips are lost to unseen actions as unseen clips are to
seen ones, as far as the val phase can tell. The threshold of the test phase is the one that loses this share of the
clips that its backbone did not train on and names rightly. A clip that it names wrongly is wrong on either side.
The threshold is moved to 0.5 in steps that keep the order, so that the gate's output can be read like the probability
of the published gate.
Letters: N clips, M clips of seen actions, S seen actions, A all actions, D size of a feature, Q quantiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.feature_space import FeatureSpace, class_means
from models.zero_shot.gate import Bools, Floats, Gate
from models.zero_shot.metrics import auroc

SCORES = {"entropy": 0.25, "distance": 0.25, "text": 0.5}  # with their weights in the mean
QUANTILES = 101  # that ranks are read from
LEAST_STEP = 1e-6  # between two quantiles, as a share of their span: equal ones would have no order
SMALLEST = 1e-30  # probability whose logarithm is taken
LARGEST_AUROC = 0.999  # that is believed
USUAL_AUROC = 0.75  # half-way between a guess and certainty
USUAL_ACTIONS = 2  # pseudo-unseen actions that USUAL_AUROC counts like


class SeenDistance(nn.Module):
    """The squared Mahalanobis distance to the nearest class mean of the seen actions, (N, D) -> (N,)."""

    means: Tensor

    def __init__(self, space: FeatureSpace, means: Tensor) -> None:
        """`means` (S, D) are those of the seen actions, in `space`."""
        super().__init__()
        self.space = space
        self.register_buffer("means", means)

    @classmethod
    def fit(cls, features: NDArray[np.float32], action: NDArray[np.int64]) -> Self:
        """Fit to the training clips (N, D) of a phase; `action` (N,) counts from 0."""
        space = FeatureSpace.fit(features, action, "whitened")
        return cls(space, space(torch.from_numpy(class_means(features, action)).float()))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """As `arrays` gave it."""
        space = FeatureSpace(len(arrays["centre"]))
        space.centre, space.matrix = (torch.tensor(arrays[name]) for name in ("centre", "matrix"))
        return cls(space, torch.tensor(arrays["means"]))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What it consists of: centre (D,), matrix (D, D) and means (S, D)."""
        parts = {"centre": self.space.centre, "matrix": self.space.matrix, "means": self.means}
        return {name: part.numpy() for name, part in parts.items()}

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N,)."""
        clips = self.space(features)  # (N, D)
        products = clips @ self.means.T  # (N, S)
        squares = clips.square().sum(dim=1, keepdim=True) + self.means.square().sum(dim=1)  # (N, S)
        nearest: Tensor = (squares - 2 * products).amin(dim=1)
        return nearest

    @torch.no_grad()
    def of(self, features: NDArray[np.float32]) -> Floats:
        """The same for arrays, (N, D) -> (N,). One thread computes it, so that its sums have one order."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            distances: Tensor = self(torch.tensor(features))
        finally:
            torch.set_num_threads(threads)
        return np.asarray(distances.double().numpy())


def text_score(probabilities: Floats, seen: int) -> Floats:
    """How much better the best unseen text fits than the best seen one. (N, A) -> (N,).

    The first `seen` columns are those of the seen actions.
    """
    logarithms = np.log(np.maximum(probabilities, SMALLEST))
    return np.asarray(logarithms[:, seen:].max(axis=1) - logarithms[:, :seen].max(axis=1))


def relative_entropy(probabilities: Floats) -> Floats:
    """The entropy of each row as a share of the largest possible one, (N, S) -> (N,). 0 with a single action."""
    entropy = -(probabilities * np.log(np.maximum(probabilities, SMALLEST))).sum(axis=1)
    return np.asarray(entropy / max(np.log(probabilities.shape[1]), SMALLEST))


def gate_scores(seen_probabilities: Floats, distance: Floats, text: Floats) -> Floats:
    """The three scores side by side, in the order of SCORES. (N, S), (N,), (N,) -> (N, 3)."""
    return np.stack((relative_entropy(seen_probabilities), distance, text), axis=1)


def equal_error_rate(auroc: float, actions: int) -> float:
    """The share of seen clips that is lost where the same share of unseen clips is. From 0.01 to 0.5.

    `auroc` is that of the val phase's scores, from 0 to 1. The scores of either kind of clips are taken for normal and
    equally wide. A few pseudo-unseen actions are an easy or a hard draw, so how far the two kinds lie apart is averaged
    with what is usual; `actions` is their number.
    """
    normal = NormalDist()
    apart = normal.inv_cdf(min(max(auroc, 0.5), LARGEST_AUROC))  # in standard deviations of a difference of two scores
    usual = normal.inv_cdf(USUAL_AUROC)
    believed = (actions * apart + USUAL_ACTIONS * usual) / (actions + USUAL_ACTIONS)
    return normal.cdf(-believed / 2**0.5)


@dataclass(frozen=True)
class ScoreGate:
    """A fitted gate: `quantiles` (3, Q) of the val phase's scores, rising, and the threshold on the mean of ranks."""

    quantiles: Floats
    threshold: float

    @classmethod
    def fit(cls, scores: Floats, unseen: Bools, actions: int, seen: Floats) -> Self:
        """Fit to the (N, 3) scores of the val phase; `unseen` (N,) says which clips are of its `actions` pseudo-unseen.

        The threshold is found on `seen` (M, 3), scores of clips of seen actions that the backbone names rightly, in the
        phase that the gate is for.
        """
        quantiles = np.quantile(scores, np.linspace(0, 1, QUANTILES), axis=0).T  # (3, Q)
        span = np.ptp(quantiles, axis=1, keepdims=True)  # (3, 1)
        quantiles += LEAST_STEP * np.where(span > 0, span, 1) * np.arange(QUANTILES)
        gate = cls(quantiles, 0.5)
        lost = equal_error_rate(auroc(gate.mean_rank(scores), unseen) / 100, actions)
        return cls(quantiles, float(np.clip(np.quantile(gate.mean_rank(seen), 1 - lost), 1e-6, 1 - 1e-6)))

    def mean_rank(self, scores: Floats) -> Floats:
        """The weighted mean of the three ranks, (N, 3) -> (N,), from 0 to 1."""
        levels = np.linspace(0, 1, self.quantiles.shape[1])
        ranks = [np.interp(column, known, levels) for column, known in zip(scores.T, self.quantiles, strict=True)]
        return np.asarray(np.stack(ranks, axis=1) @ list(SCORES.values()))

    def probability(self, scores: Floats) -> Floats:
        """The mean rank, with the threshold moved to 0.5. (N, 3) -> (N,), from 0 to 1."""
        rank = self.mean_rank(scores)
        above = 0.5 + 0.5 * (rank - self.threshold) / (1 - self.threshold)
        return np.where(rank < self.threshold, 0.5 * rank / self.threshold, above)


AnyGate = Gate | ScoreGate


class PlainScoreGate(nn.Module):
    """The same for ONNX: seen probabilities (B, S), distances (B,), probabilities of all texts (B, A) -> gate (B,)."""

    low: Tensor
    width: Tensor
    weights: Tensor

    def __init__(self, gate: ScoreGate, seen: int) -> None:
        super().__init__()
        self.seen, self.threshold = seen, gate.threshold
        self.largest_entropy = max(float(np.log(seen)), SMALLEST)
        self.register_buffer("weights", torch.tensor(list(SCORES.values())))
        steps = {"low": gate.quantiles[:, :-1], "width": np.diff(gate.quantiles, axis=1)}  # (3, Q - 1) each
        for name, values in steps.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, seen_probabilities: Tensor, distance: Tensor, by_text: Tensor) -> Tensor:
        """(B, S), (B,), (B, A) -> (B,)."""
        logarithms = by_text.clamp_min(SMALLEST).log()
        text = logarithms[:, self.seen :].amax(dim=1) - logarithms[:, : self.seen].amax(dim=1)  # (B,)
        entropy = -(seen_probabilities * seen_probabilities.clamp_min(SMALLEST).log()).sum(dim=1)  # (B,)
        scores = torch.stack((entropy / self.largest_entropy, distance, text), dim=1)  # (B, 3)
        ranks = ((scores[:, :, None] - self.low) / self.width).clamp(0, 1).mean(dim=2)  # (B, 3): np.interp in ONNX
        rank = ranks @ self.weights  # (B,)
        above = 0.5 + 0.5 * (rank - self.threshold) / (1 - self.threshold)
        return torch.where(rank < self.threshold, 0.5 * rank / self.threshold, above)
