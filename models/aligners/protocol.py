"""What an aligner is: it turns features of clips into scores for actions that are known by text alone.

`train` fits one aligner for each seed and phase and saves its state. `evaluate`, `predict` and `export` make a scorer
from the state and the texts of any actions. An aligner of your own is a class with the members of `Aligner` and an
entry in models/aligners/registry.py.
Letters: N clips, C seen actions, U actions known by text, D_s size of a clip's feature, D_t size of a text's feature.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.fsvae.batches import TrainingData
from models.fsvae.training import LossRow

State = dict[str, Tensor]  # what a fitted aligner consists of, by name; model.safetensors holds it
Entropy = tuple[int, ...]  # seeds everything random
Arrays = Mapping[str, NDArray[np.float32]]


class Scorer(nn.Module):
    """Scores clips against fixed texts: features (N, D_s) -> probabilities (N, U), each row adding up to 1."""

    def arrays(self) -> Arrays:
        """What was fitted for these very texts. predictions.h5 keeps it, so that `predict` need not fit it again."""
        return {}

    def plain(self) -> nn.Module:
        """The same for ONNX: a module from (B, D_s) to (B, U) in operations that ONNX has."""
        return self

    @torch.no_grad()
    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, D_s) -> (N, U), on the CPU."""
        probabilities: Tensor = self(torch.tensor(features))  # a copy: worker processes get arrays that are read-only
        return np.asarray(probabilities.double().numpy())


class Aligner(Protocol):
    """Fits on the seen actions of one phase, then scores clips against any texts."""

    @property
    def cycles(self) -> int:
        """How many states `fit` gives. The selection rule picks one of them; an aligner without cycles gives one."""
        ...

    def fit(
        self,
        data: TrainingData,
        entropy: Entropy,
        device: torch.device,
        on_cycle: Callable[[int, LossRow], None],
    ) -> tuple[list[State], list[LossRow]]:
        """Fit on the clips (N, D_s) and texts (C, D_t) of `data`: a state for each cycle, and the logged losses.

        Calls `on_cycle` with each cycle and its last losses, where there are losses. Raises ModelError when it fails.
        """
        ...

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> Scorer:
        """What scores clips against `texts` (U, D_t).

        `arrays`, those of an earlier scorer of the same state and texts, stand in for what would be fitted now.
        """
        ...
