"""Ridge regression from texts to class means, in closed form: the baseline that any claim needs. Ours.

    x = (s - centre) matrix                     a clip's feature in the space of models/feature_space.py
    m_c = mean of x over the clips of action c  their mean over the C actions is 0
    W = G M, G = (T'T + r I)^-1 T'              T (C, D_t) the centred texts, M (C, D_s) the class means
    p(u | s) = softmax over u of cos(x, (t_u - t) W) / temperature

The regression is solved in its kernel form, a system of C equations. Two numbers are chosen by leaving out one seen
action after the other. The kernel form predicts the mean of a left-out action without fitting again.
- The strength r is the one with the smallest squared error of these predictions.
- The temperature is the one with the largest likelihood of the training clips under these predictions.
Actions that the backbone knows (models/known_actions.py) are further rows of T and M. Their texts are centred by their
own mean, and none of them is left out.
The state holds the feature space, t as `text_mean`, W as `weight`, the columns of G that belong to the seen actions as
`gain`, `strength` and `temperature`. `gain` says how the predictions follow the class means (CosineScorer).
Letters: N clips, C seen actions, U actions known by text, K known actions, D_s and D_t sizes of features of
clips and texts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from models.aligners.cosines import CosineScorer
from models.aligners.protocol import Arrays, Entropy, Scorer, State
from models.errors import ModelError
from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace
from models.fsvae.batches import TrainingData
from models.fsvae.training import LossRow
from models.whole_state import faults

STRENGTHS = tuple(10.0**power for power in range(-3, 3))  # tried; in units of the mean squared length of a text
TEMPERATURES = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)  # tried; of cosines


@dataclass(frozen=True)
class RidgeAligner:
    """`features` is the space of the clips' features. What else there is to choose, it chooses on the seen actions."""

    features: FeatureKind = "half-whitened"
    cycles: int = 1

    def fit(
        self,
        data: TrainingData,
        entropy: Entropy,
        device: torch.device,
        on_cycle: Callable[[int, LossRow], None],
    ) -> tuple[list[State], list[LossRow]]:
        """Solve it. Nothing is random, so that all seeds give the same; there are no losses."""
        space = FeatureSpace.fit(data.skeletons, data.text_row, self.features)
        clips = space(torch.from_numpy(data.skeletons)).double()  # (N, D_s)
        texts, action = torch.from_numpy(data.texts).double(), torch.from_numpy(data.text_row)
        means = torch.stack([clips[action == row].mean(dim=0) for row in range(len(texts))])  # (C, D_s)
        text_mean = texts.mean(dim=0)
        centred_texts, targets = texts - text_mean, means  # (C, D_t), (C, D_s)
        if data.known is not None and self.features != "given":
            known_texts = torch.from_numpy(data.known.texts).double()
            centred_texts = torch.cat((centred_texts, known_texts - known_texts.mean(dim=0)))  # (C + K, D_t)
            targets = torch.cat((means, data.known.features(space, means)))  # (C + K, D_s)
        kernel = centred_texts @ centred_texts.T  # (C + K, C + K)

        def left_out(strength: float) -> Tensor:
            """The means of the seen actions that the regression without each of them predicts, (C, D_s)."""
            return _left_out(kernel, targets, strength)[: len(means)]

        strength = min(STRENGTHS, key=lambda tried: (means - left_out(tried)).square().sum().item())
        predicted = left_out(strength)
        cosines = normalize(clips, dim=1) @ normalize(predicted, dim=1).T  # (N, C)
        temperature = max(TEMPERATURES, key=lambda tried: _likelihood(cosines / tried, action))
        gain = torch.linalg.solve(_regularised(kernel, strength), centred_texts).T  # (D_t, C + K)
        state = {
            **space.state_dict(),
            "text_mean": text_mean,
            "weight": gain @ targets,  # (D_t, D_s)
            "gain": gain[:, : len(means)],  # (D_t, C)
            "strength": torch.tensor(strength),
            "temperature": torch.tensor(temperature),
        }
        return [{name: value.float().contiguous() for name, value in state.items()}], []

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> Scorer:
        """Cosines to the class means that the texts predict. Nothing is fitted: `entropy` and `arrays` are not needed.

        Raises ModelError when `state` is not what `fit` gives.
        """
        space = _loaded_space(state, texts.shape[1])
        centred = torch.from_numpy(texts) - state["text_mean"]  # (U, D_t)
        temperature = float(state["temperature"])
        return CosineScorer(space, centred @ state["weight"], temperature, follow=centred @ state["gain"])


def _loaded_space(state: State, text_size: int) -> FeatureSpace:
    """The feature space in `state`; `text_size` is D_t.

    Raises ModelError when a tensor is missing, unknown, not finite or of another size.
    """
    size = len(state["centre"]) if "centre" in state and state["centre"].ndim == 1 else 0  # D_s
    actions = state["gain"].shape[1] if "gain" in state and state["gain"].ndim == 2 else 0  # C
    space, number = FeatureSpace(size), torch.empty(())
    expected = {
        **space.state_dict(),
        "text_mean": torch.empty(text_size),
        "weight": torch.empty(text_size, size),
        "gain": torch.empty(text_size, actions),
        "strength": number,
        "temperature": number,
    }
    if wrong := faults(state, expected):
        raise ModelError(f"the state of the ridge is not whole; {wrong}; run `fsvae-pipe train` again")
    space.load_state_dict({name: state[name] for name in space.state_dict()})
    return space


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
