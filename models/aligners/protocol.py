"""What an aligner is: it turns features of clips into scores for actions that are known by text alone.

`train` fits one aligner for each seed and phase and saves its state. `evaluate`, `predict` and `export` make a scorer
from the state and the texts of any actions. An aligner of your own is a class with the members of `Aligner` and an
entry in models/aligners/registry.py.
Letters: N clips, C seen actions, U actions known by text, D_s size of a clip's feature, D_t size of a text's feature.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.fsvae.batches import TrainingData
from models.fsvae.training import LossRow, Member, Trained

State = dict[str, Tensor]  # what a fitted aligner consists of, by name; model.safetensors holds it
Entropy = tuple[int, ...]  # seeds everything random
Arrays = Mapping[str, NDArray[np.float32]]
CLIPS_AT_A_TIME = 4096  # that are scored


class Scorer(nn.Module):
    """Scores clips against fixed texts: features (N, D_s) -> probabilities (N, U), each row adding up to 1."""

    def arrays(self) -> Arrays:
        """Return what was fitted to the texts. predictions.h5 keeps it, so that `predict` need not fit it again."""
        return {}

    def plain(self) -> nn.Module:
        """Return a module that computes the same, (B, D_s) -> (B, U), with operations that ONNX has."""
        return self

    def moved(self, changes: NDArray[np.float32]) -> "Scorer":
        """Return the scorer as it would be if some clips had not been trained on, as far as it can be known.

        Without these clips, the mean features of the actions of the first S texts are larger by `changes` (S, D_s). A
        scorer that does not know what to make of this returns itself.
        """
        return self

    @torch.no_grad()
    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, D_s) -> (N, U), on the CPU."""
        return np.asarray(self.in_blocks(features).double().numpy())

    def in_blocks(self, features: NDArray[np.float32]) -> Tensor:
        """(N, D_s) -> (N, U), some clips at a time, so that what is computed on the way takes little memory."""
        blocks = np.array_split(features, max(1, -(-len(features) // CLIPS_AT_A_TIME)))
        return torch.cat([self(torch.tensor(block)) for block in blocks])  # copies: in workers arrays are read-only


class Aligner(Protocol):
    """Fits on the seen actions of one phase, then scores clips against any texts."""

    @property
    def cycles(self) -> int:
        """How many states `fit` returns. A selection rule picks one of them. An aligner without cycles returns one."""
        ...

    def fit(
        self,
        data: TrainingData,
        entropy: Entropy,
        device: torch.device,
        on_cycle: Callable[[int, LossRow], None],
    ) -> tuple[list[State], list[LossRow]]:
        """Fit on the clips (N, D_s) and texts (C, D_t) of `data`. Return a state for each cycle, and the logged losses.

        States lie in main memory. A row of losses has "cycle" (from 1), "step" (from 0), the losses by names of the
        aligner's own, and "total"; the last step of each cycle has one. If there are losses, `on_cycle` is called after
        each cycle, with its number and its last row. Raises ModelError when training fails.
        """
        ...

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> Scorer:
        """Make a scorer of clips against `texts` (U, D_t).

        With `arrays`, which an earlier scorer of the same state and texts returned, nothing is fitted again.
        """
        ...


@runtime_checkable
class FitsTogether(Protocol):
    """What an aligner may have besides: with it, a GPU fits all seeds and phases at once."""

    def fit_members(
        self, members: Sequence[Member], device: torch.device, tell: Callable[[str], None]
    ) -> list[Trained]:
        """Fit all `members`, and return for each what `fit` returns: the same, but for rounding.

        `tell` is called with what the user should know. Raises ModelError when training fails.
        """
        ...


def fits_at_once(aligner: Aligner, device: torch.device) -> bool:
    """Whether `train` fits all seeds and phases at once. On a CPU that is no faster, and members would not be exact."""
    return device.type != "cpu" and isinstance(aligner, FitsTogether)


def fit_members(
    aligner: Aligner,
    members: Sequence[Member],
    device: torch.device,
    tell: Callable[[str], None] = lambda message: None,
) -> list[Trained]:
    """Fit `members`: several at once if the aligner can, else one after another."""
    if len(members) > 1 and isinstance(aligner, FitsTogether):
        return aligner.fit_members(members, device, tell)
    return [aligner.fit(member.data, member.entropy, device, member.on_cycle) for member in members]
