"""The features that members train on, on the device: those of several data sets stand below each other.

Members of one phase share a data set. So a batch of any member picks its rows from the same two tables.
"""

from collections.abc import Iterable

import torch

from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace
from models.fsvae.batches import TrainingData


class FeatureTables:
    """`skeletons` (N, D_s), which are in the feature space of their data set, and `texts` (C, D_t)."""

    def __init__(self, data_sets: Iterable[TrainingData], kind: FeatureKind, device: torch.device) -> None:
        """A data set that comes twice is taken once. `kind` is the setting model.features."""
        self.spaces: dict[TrainingData, FeatureSpace | None] = {}
        self.first_rows: dict[TrainingData, tuple[int, int]] = {}  # of its clips and of its actions
        skeletons, texts, clips, actions = [], [], 0, 0
        for data in dict.fromkeys(data_sets):
            rows, space = torch.tensor(data.skeletons, device=device), None
            if kind != "given":
                space = FeatureSpace.fit(data.skeletons, data.text_row, kind).to(device)
                rows = space(rows)
            self.spaces[data], self.first_rows[data] = space, (clips, actions)
            skeletons.append(rows)
            texts.append(torch.tensor(data.texts, device=device))
            clips, actions = clips + len(rows), actions + len(data.texts)
        self.skeletons, self.texts = torch.cat(skeletons), torch.cat(texts)
