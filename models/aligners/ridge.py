"""Ridge regression from texts to class means, in closed form: the baseline that any claim needs. Ours.

    x = (s - mean) / deviation                      each dimension of a clip's feature, over the training clips
    m_c = mean of x over the clips of action c      centred: m_c - m, m the mean over the C actions
    W = (T'T + r I)^-1 T'(M - m)                    T (C, D_t) the centred texts, M (C, D_s) the class means
    p(u | s) = softmax over u of cos(x - m, (t_u - t) W) / temperature

The regression is solved in its kernel form, a system of C equations. Two numbers are chosen by leaving out one seen
action after the other. The kernel form predicts the mean of a left-out action without fitting again.
- The strength r is the one with the smallest squared error of these predictions.
- The temperature is the one with the largest likelihood of the training clips under these predictions.
Letters: N clips, C seen actions, U actions known by text, D_s and D_t sizes of features of clips and texts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from models.aligners.protocol import Arrays, Entropy, Scorer, State
from models.errors import ModelError
from models.fsvae.batches import TrainingData
from models.fsvae.training import LossRow
from models.whole_state import faults

STRENGTHS = tuple(10.0**power for power in range(-3, 3))  # tried; in units of the mean squared length of a text
TEMPERATURES = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)  # tried; of cosines


class RidgeScorer(Scorer):
    """Cosines between clips and the class means that the texts predict."""

    def __init__(self, state: State, texts: Tensor) -> None:
        """`texts` are (U, D_t). Raises ModelError when `state` is not what `RidgeAligner.fit` gives."""
        super().__init__()
        _require_whole(state, texts.shape[1])
        predicted = (texts - state["text_mean"]) @ state["weight"]  # (U, D_s)
        self.register_buffer("directions", normalize(predicted, dim=1) / state["temperature"])
        self.register_buffer("deviation", state["deviation"])
        self.register_buffer("centre", state["mean"] + state["deviation"] * state["centre"])

    def forward(self, features: Tensor) -> Tensor:
        """(N, D_s) -> (N, U)."""
        clips = normalize((features - self.centre) / self.deviation, dim=1)  # (N, D_s)
        return (clips @ self.directions.T).softmax(dim=1)  # (N, U)

    centre: Tensor
    deviation: Tensor
    directions: Tensor


@dataclass(frozen=True)
class RidgeAligner:
    """It has no settings: it chooses the strength and the temperature on the seen actions."""

    cycles: int = 1

    def fit(
        self,
        data: TrainingData,
        entropy: Entropy,
        device: torch.device,
        on_cycle: Callable[[int, LossRow], None],
    ) -> tuple[list[State], list[LossRow]]:
        """Solve the regression. Nothing is random, so all seeds give the same state. There are no losses."""
        clips, texts = (torch.from_numpy(part).double() for part in (data.skeletons, data.texts))
        action = torch.from_numpy(data.text_row)  # (N,)
        mean, deviation = clips.mean(dim=0), clips.std(dim=0, correction=0)
        deviation[deviation == 0] = 1
        clips = (clips - mean) / deviation
        class_means = torch.stack([clips[action == row].mean(dim=0) for row in range(len(texts))])  # (C, D_s)
        centre, text_mean = class_means.mean(dim=0), texts.mean(dim=0)
        means, centred_texts = class_means - centre, texts - text_mean  # (C, D_s), (C, D_t)
        kernel = centred_texts @ centred_texts.T  # (C, C)
        strength = min(STRENGTHS, key=lambda tried: (means - _left_out(kernel, means, tried)).square().sum().item())
        predicted = _left_out(kernel, means, strength)
        cosines = normalize(clips - centre, dim=1) @ normalize(predicted, dim=1).T  # (N, C)
        temperature = max(TEMPERATURES, key=lambda tried: _likelihood(cosines / tried, action))
        state = {
            "mean": mean,
            "deviation": deviation,
            "centre": centre,
            "text_mean": text_mean,
            "weight": centred_texts.T @ torch.linalg.solve(_regularised(kernel, strength), means),  # (D_t, D_s)
            "strength": torch.tensor(strength),
            "temperature": torch.tensor(temperature),
        }
        return [{name: value.float().contiguous() for name, value in state.items()}], []

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> RidgeScorer:
        """Make the scorer. Nothing is fitted to the texts, so `entropy` and `arrays` are not used."""
        return RidgeScorer(state, torch.from_numpy(texts))


def _require_whole(state: State, text_size: int) -> None:
    """Raise ModelError when a tensor is missing, unknown, not finite or of another size; `text_size` is D_t."""
    size = len(state["mean"]) if "mean" in state and state["mean"].ndim == 1 else 0  # D_s
    vector, number = torch.empty(size), torch.empty(())
    expected = dict.fromkeys(("mean", "deviation", "centre"), vector) | {
        "text_mean": torch.empty(text_size),
        "weight": torch.empty(text_size, size),
        "strength": number,
        "temperature": number,
    }
    if wrong := faults(state, expected):
        raise ModelError(f"the state of the ridge is not whole; {wrong}; run `fsvae-pipe train` again")


def _regularised(kernel: Tensor, strength: float) -> Tensor:
    """Return the kernel plus r I, (C, C) -> (C, C)."""
    eye = torch.eye(len(kernel), dtype=kernel.dtype)
    return kernel + strength * kernel.diagonal().mean().clamp_min(1e-12) * eye


def _left_out(kernel: Tensor, means: Tensor, strength: float) -> Tensor:
    """Predict each action's class mean by the regression without that action, (C, D_s)."""
    hat: Tensor = torch.linalg.solve(_regularised(kernel, strength), kernel)  # (C, C); symmetric, since both commute
    return means - (means - hat @ means) / (1 - hat.diagonal())[:, None]


def _likelihood(scores: Tensor, action: Tensor) -> float:
    """Return the sum over actions of the mean log-probability of their clips. `scores` are (N, C), `action` (N,)."""
    own = scores.log_softmax(dim=1).gather(1, action[:, None])[:, 0]  # (N,)
    clips = torch.bincount(action)[action]
    return (own / clips).sum().item()
