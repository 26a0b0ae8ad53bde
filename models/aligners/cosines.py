"""Scores clips by their cosine to a direction for each text, in the feature space."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.aligners.protocol import Scorer
from models.feature_space import FeatureSpace


class CosineScorer(Scorer):
    """Features (N, D_s) -> softmax of cosines / temperature, (N, U)."""

    directions: Tensor

    @torch.no_grad()
    def __init__(
        self, space: FeatureSpace | None, predicted: Tensor, temperature: float, follow: Tensor | None = None
    ) -> None:
        """`predicted` (U, D_s) are the features that the texts predict, in `space`; None = as given.

        `follow` (U, S) says how far they move with each class mean of S seen actions. None = the first S are the class
        means themselves.
        """
        super().__init__()
        self.given_space, self.predicted, self.temperature, self.follow = space, predicted, temperature, follow
        self.space = nn.Identity() if space is None else space
        self.register_buffer("directions", normalize(predicted, dim=1) / temperature)

    @torch.no_grad()
    def moved(self, changes: NDArray[np.float32]) -> "CosineScorer":
        """With what is predicted moved as far as it follows the class means. The space stays as it is."""
        moves = torch.tensor(changes)  # (S, D_s)
        if self.given_space is not None:
            moves = moves @ self.given_space.matrix
        follow = torch.eye(len(self.predicted), len(moves)) if self.follow is None else self.follow  # (U, S)
        return CosineScorer(self.given_space, self.predicted + follow @ moves, self.temperature, self.follow)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D_s) -> (N, U)."""
        clips = normalize(self.space(features), dim=1)  # (N, D_s)
        return (clips @ self.directions.T).softmax(dim=1)  # (N, U)
