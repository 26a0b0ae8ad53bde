"""The similarity of actions' texts under an encoder: neighbours, and the pairs most likely to be confused.

Letters: c actions, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOGETHER = "together"  # the name for all levels concatenated, which is how FS-VAE reads them


@dataclass(frozen=True)
class Similarity:
    """The cosines between the texts of `actions`, at one level or at all levels together."""

    actions: tuple[int, ...]  # (c,)
    cosines: NDArray[np.float64]  # (c, c)

    @property
    def between(self) -> NDArray[np.float64]:
        """The cosines of all pairs of different actions, each pair once, (c (c - 1) / 2,)."""
        first, second = np.triu_indices(len(self.actions), k=1)
        return self.cosines[first, second]

    @property
    def mean(self) -> float:
        """The mean cosine over the pairs of different actions."""
        return float(self.between.mean())

    @property
    def percentile_95(self) -> float:
        """The 95th percentile of the cosines over the pairs of different actions."""
        return float(np.percentile(self.between, 95))

    def neighbours(self, action: int, number: int) -> list[tuple[int, float]]:
        """The `number` actions whose texts are nearest to that of `action`, nearest first, with their cosines."""
        row = self.cosines[self.actions.index(action)]
        order = [index for index in np.argsort(-row, kind="stable") if self.actions[index] != action]
        return [(self.actions[index], float(row[index])) for index in order[:number]]

    def closest_pairs(self, number: int) -> list[tuple[int, int, float]]:
        """The `number` pairs of actions with the highest cosines, highest first."""
        first, second = np.triu_indices(len(self.actions), k=1)
        order = np.argsort(-self.between, kind="stable")[:number]
        return [
            (self.actions[first[index]], self.actions[second[index]], float(self.between[index])) for index in order
        ]


def similarities(actions: Sequence[int], features: Mapping[str, NDArray[np.float32]]) -> dict[str, Similarity]:
    """Level -> similarity, for each level of `features` (level -> (c, D)) and for all levels under `TOGETHER`.

    Needs at least two actions.
    """
    concatenated = np.concatenate([rows.astype(np.float64) for rows in features.values()], axis=1)
    return {level: _similarity(actions, rows) for level, rows in [*features.items(), (TOGETHER, concatenated)]}


def _similarity(actions: Sequence[int], features: NDArray[np.floating]) -> Similarity:
    rows = features.astype(np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return Similarity(tuple(actions), unit @ unit.T)
