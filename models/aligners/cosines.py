"""Scores clips by their cosine to a direction for each text, in the feature space."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.aligners.protocol import Scorer
from models.feature_space import FeatureSpace


class CosineScorer(Scorer):
    """Features (N, D_s) -> softmax of cosines / temperature, (N, U)."""

    directions: Tensor

    @torch.no_grad()
    def __init__(self, space: FeatureSpace | None, predicted: Tensor, temperature: float) -> None:
        """`predicted` (U, D_s) are the features that the texts predict, in `space`; None = as given."""
        super().__init__()
        self.space = nn.Identity() if space is None else space
        self.register_buffer("directions", normalize(predicted, dim=1) / temperature)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D_s) -> (N, U)."""
        clips = normalize(self.space(features), dim=1)  # (N, D_s)
        return (clips @ self.directions.T).softmax(dim=1)  # (N, U)
