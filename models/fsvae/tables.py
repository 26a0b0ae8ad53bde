"""The features that members train on, on the device: those of several data sets stand below each other.

Members of one phase share a data set. So a batch of any member picks its rows from the same two tables.
"""

from collections.abc import Iterable

import torch

from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace
from models.fsvae.batches import TrainingData
from models.fsvae.known_clips import with_known_clips


class FeatureTables:
    """`skeletons` (N, D_s), which are in the feature space of their data set, and `texts` (C, D_t)."""

    def __init__(self, data_sets: Iterable[TrainingData], kind: FeatureKind, device: torch.device) -> None:
        """A data set that comes twice is taken once. `kind` is the setting model.features."""
        self.trained_on: dict[TrainingData, TrainingData] = {}  # with the clips of known actions
        self.spaces: dict[TrainingData, FeatureSpace | None] = {}
        self.first_rows: dict[TrainingData, tuple[int, int]] = {}  # of its clips and of its actions
        skeletons, texts, clips, actions = [], [], 0, 0
        for data in dict.fromkeys(data_sets):
            trained_on, space = data, None
            if kind != "given":
                space = FeatureSpace.fit(data.skeletons, data.text_row, kind)
                trained_on, space = with_known_clips(data, space), space.to(device)
            rows = torch.tensor(trained_on.skeletons, device=device)
            skeletons.append(rows if space is None else space(rows))
            texts.append(torch.tensor(trained_on.texts, device=device))
            self.trained_on[data], self.spaces[data], self.first_rows[data] = trained_on, space, (clips, actions)
            clips, actions = clips + len(rows), actions + len(trained_on.texts)
        self.skeletons, self.texts = torch.cat(skeletons), torch.cat(texts)
