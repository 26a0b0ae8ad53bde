"""Actions of another data set that a given backbone knows, as pairs of a motion feature and a text. Ours.

The backbone's classifier has a weight vector w for each of its K classes: clips of the class lie in this direction. In
the feature space x = (s - centre) M of models/feature_space.py, the classifier is linear too, and its weight is

    v = M^-1 (w - mean of all w)

The feature of the class is v, made as long as the class means of the clips are on average. So the K classes are
examples beside the seen actions: an aligner that has few actions of its own learns from them what texts mean. They are
no part of the space, which the clips alone fit.
Letters: K known actions, C seen actions, D_s and D_t sizes of features of clips and texts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from models.errors import ModelError
from models.feature_space import FeatureSpace

LEAST_KNOWN = 2  # actions: the weights are compared with their mean


@dataclass(frozen=True, eq=False)
class KnownActions:
    """The weights (K, D_s) of the backbone's classifier, and the texts (K, D_t) of its classes.

    Raises ModelError when a number is NaN or infinite, or the two do not belong together.
    """

    weight: NDArray[np.float32]
    texts: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not LEAST_KNOWN <= len(self.weight) == len(self.texts):
            raise ModelError(
                f"there are {len(self.weight)} weights and {len(self.texts)} texts of known actions; the same number, "
                f"{LEAST_KNOWN} or more, is wanted"
            )
        if not np.isfinite(self.weight).all() or not np.isfinite(self.texts).all():
            raise ModelError("weights or texts of known actions hold NaN or infinite numbers; finite ones are wanted")

    def features(self, space: FeatureSpace, class_means: Tensor) -> Tensor:
        """The features of the K actions in `space`, (K, D_s) in double precision.

        `class_means` (C, D_s) are the means of the seen actions' clips there, which give the length.
        """
        weight = torch.from_numpy(self.weight).double()
        directions = torch.linalg.solve(space.matrix.double(), (weight - weight.mean(dim=0)).T).T  # (K, D_s)
        length: Tensor = class_means.double().norm(dim=1).mean()
        return normalize(directions, dim=1) * length
