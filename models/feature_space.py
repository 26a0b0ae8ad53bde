"""The space that clips are compared with texts in: features of clips, centred, scaled and whitened. Ours.

    x' = (x - centre) matrix

given          The features are only centred. FS-VAE leaves even that out, as published.
standardised   Each dimension is divided by its deviation over the training clips.
whitened       Then the directions in which clips of the same action differ are made equally wide: the standardised
               features are multiplied by S^(-1/2), S the covariance within actions (Ledoit-Wolf's estimate). What
               differs between people and takes no longer counts more than what differs between actions.
half-whitened  By S^(-1/4) instead. S of few clips is not exact, and this trusts it half as far.

The centre is the mean of the class means of the training clips, so that large classes do not pull it.
Letters: N clips, C actions, D size of a feature.
"""

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.column_deviation import column_deviation
from models.feature_kinds import FeatureKind

LEAST_VARIANCE = 1e-4  # within actions, of standardised features; one clip an action has none at all
POWERS = {"half-whitened": -0.25, "whitened": -0.5}  # of the eigenvalues of S


class FeatureSpace(nn.Module):
    """A linear map of features, (N, D) -> (N, D)."""

    centre: Tensor
    matrix: Tensor

    def __init__(self, size: int) -> None:
        """The map that changes nothing; `size` is D."""
        super().__init__()
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("matrix", torch.eye(size))

    @classmethod
    def fit(cls, features: NDArray[np.float32], action: NDArray[np.int64], kind: FeatureKind) -> Self:
        """Fit to training clips (N, D); `action` (N,) counts from 0, and every action has a clip."""
        space = cls(features.shape[1])
        rows = features.astype(np.float64)
        means = class_means(rows, action)  # (C, D)
        space.centre = torch.from_numpy(means.mean(axis=0)).float()
        if kind == "given":
            return space
        deviation = column_deviation(rows)
        deviation[deviation == 0] = 1
        matrix = np.diag(1 / deviation)
        if kind != "standardised":
            for row, mean in enumerate(means):  # in place: rows take twice the memory of the features
                rows[action == row] -= mean
            rows /= deviation
            matrix = _power(rows, POWERS[kind]) / deviation[:, None]
        space.matrix = torch.from_numpy(matrix).float()
        return space

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, D)."""
        return (features - self.centre) @ self.matrix


def class_means(features: NDArray[np.floating], action: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean feature of each action, (N, D) and (N,) -> (C, D)."""
    return np.stack([features[action == row].mean(axis=0, dtype=np.float64) for row in range(action.max() + 1)])


def _power(within: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """S to `power`, S the covariance of rows (N, D) whose mean is 0, (D, D). The rows are overwritten.

    Computed by one thread, whose sums have one order: a result does not depend on the number of cores.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        values, vectors = np.linalg.eigh(ledoit_wolf(within))
        return np.asarray((vectors * np.maximum(values, LEAST_VARIANCE) ** power) @ vectors.T)


def ledoit_wolf(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance of rows (N, D) whose mean is 0, drawn towards a multiple of the unit matrix, (D, D).

    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices". It gives what
    scikit-learn's gives, in a third of the memory: nothing is copied, the squares take the place of the rows, and
    importing scikit-learn's takes 115 MB and a second.
    """
    clips, size = rows.shape
    products = rows.T @ rows  # (D, D)
    squares = np.square(rows, out=rows)  # (N, D)
    variances = squares.sum(axis=0) / clips  # (D,)
    mean = variances.sum() / size
    spread = np.square(products).sum() / clips**2
    noise = ((squares.T @ squares).sum() / clips - spread) * (1 / (size * clips))
    distance = (spread - 2 * mean * variances.sum() + size * mean**2) / size
    noise = min(noise, distance)  # so that nothing is drawn beyond the multiple of the unit matrix
    drawn = noise / distance if noise else 0.0  # the share, 0 to 1
    covariance = products / clips
    shrunk: NDArray[np.float64] = (1 - drawn) * covariance
    shrunk.flat[:: size + 1] += drawn * (np.trace(covariance) / size)
    return shrunk
