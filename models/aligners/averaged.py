"""Several scorers as one: the mean of their log-probabilities.

The selection rule `mean` takes it over cycles of one seed, the ensemble over the seeds of a run.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.aligners.protocol import Aligner, Arrays, Entropy, Scorer, State
from models.zero_shot.score_gate import SMALLEST


class AveragedScorer(Scorer):
    """Features (N, D_s) -> probabilities (N, U)."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        super().__init__()
        self.scorers = nn.ModuleList(scorers)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D_s) -> (N, U)."""
        return _averaged([scorer(features) for scorer in self.scorers])

    def in_blocks(self, features: NDArray[np.float32]) -> Tensor:
        """The same, where each scorer sees some clips at a time."""
        parts: Sequence[Scorer] = list(self.scorers)  # type: ignore[arg-type]
        return _averaged([part.in_blocks(features) for part in parts])

    def arrays(self) -> Arrays:
        """The arrays of every scorer; its number stands in front of their names."""
        parts: Sequence[Scorer] = list(self.scorers)  # type: ignore[arg-type]
        return {f"{i}_{name}": array for i, part in enumerate(parts) for name, array in part.arrays().items()}

    def moved(self, changes: NDArray[np.float32]) -> Scorer:
        """The average of the moved scorers."""
        parts: Sequence[Scorer] = list(self.scorers)  # type: ignore[arg-type]
        return AveragedScorer([part.moved(changes) for part in parts])

    def plain(self) -> nn.Module:
        """The same for ONNX."""
        parts: Sequence[Scorer] = list(self.scorers)  # type: ignore[arg-type]
        return AveragedScorer([part.plain() for part in parts])  # type: ignore[misc]


def _averaged(probabilities: Sequence[Tensor]) -> Tensor:
    """Average the logarithms of several scorers' probabilities, (N, U) each -> (N, U)."""
    return torch.stack([each.clamp_min(SMALLEST).log() for each in probabilities]).mean(dim=0).softmax(dim=1)


def average(scorers: Sequence[Scorer]) -> Scorer:
    """One scorer as it is, or several as one."""
    return scorers[0] if len(scorers) == 1 else AveragedScorer(scorers)


def scorer_of_cycles(
    aligner: Aligner,
    states: Mapping[int, State],
    texts: NDArray[np.float32],
    entropy: Entropy,
    arrays: Arrays | None = None,
) -> Scorer:
    """One scorer of clips against `texts` (U, D_t), from the states of one seed and phase after several cycles.

    states: cycle (from 1) -> state. `entropy` is the seed and the phase; the cycle is added to it. With the `arrays`
    that such a scorer returned earlier, nothing is fitted again.
    """
    return average(
        [
            aligner.scorer(state, texts, (*entropy, cycle), arrays_of(arrays, place, len(states)))
            for place, (cycle, state) in enumerate(states.items())
        ]
    )


def arrays_of(arrays: Arrays | None, place: int, scorers: int) -> Arrays | None:
    """The part of an average's `arrays` that belongs to the scorer at `place`, of so many `scorers`."""
    if arrays is None or scorers == 1:
        return arrays
    prefix = f"{place}_"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
