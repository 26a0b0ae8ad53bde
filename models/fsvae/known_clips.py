"""Clips made of the actions that a given backbone knows, which FS-VAE trains on beside the real ones. Ours.

Letters: N clips, C seen actions, K known actions, D_s and D_t sizes of features of clips and texts.
"""

from dataclasses import replace

import numpy as np
import torch

from models.feature_space import FeatureSpace, class_means
from models.fsvae.batches import TrainingData

SHARE = 1 / 3  # a known action has this share of the clips that a seen action has on average


def known_clips(data: TrainingData) -> int:
    """How many clips `with_known_clips` adds."""
    return 0 if data.known is None else len(data.known.texts) * _times(data)


def with_known_clips(data: TrainingData, space: FeatureSpace) -> TrainingData:
    """The clips and texts of `data`, then those of its known actions; `data` itself when there are none.

    All made clips of an action are the same: its feature in `space`, mapped back. `space` is fitted to the real clips.
    """
    if data.known is None:
        return data
    own, known = len(data.texts), len(data.known.texts)
    matrix, centre = space.matrix.double(), space.centre.double()
    means = (torch.from_numpy(class_means(data.skeletons, data.text_row)) - centre) @ matrix  # (C, D_s)
    in_space = data.known.features(space, means)  # (K, D_s)
    features = torch.linalg.solve(matrix.T, in_space.T).T + centre  # (K, D_s)
    times = _times(data)
    return replace(
        data,
        skeletons=np.concatenate((data.skeletons, np.repeat(features.float().numpy(), times, axis=0))),
        text_row=np.concatenate((data.text_row, own + np.repeat(np.arange(known), times))),
        texts=np.concatenate((data.texts, data.known.texts)),
        known=None,
    )


def _times(data: TrainingData) -> int:
    """How many clips a known action gets."""
    return max(1, round(SHARE * len(data.skeletons) / len(data.texts)))
