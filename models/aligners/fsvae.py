"""FS-VAE as an aligner. The setting evaluate.classifier.kind says how it names a clip.

decoded     The text's mean latent is decoded to a skeleton feature, and a clip is scored by its cosine to it (ours).
regression  The clip's mean latent goes through a classifier that was fitted to latents of the texts (published).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.random_streams import REPLACED_WEIGHTS, UNSEEN_CLASSIFIER
from models.aligners.cosines import CosineScorer
from models.aligners.fsvae_plain import PlainFSVAE
from models.aligners.protocol import Arrays, Entropy, Scorer, State
from models.errors import ModelError
from models.fsvae.batches import TrainingData
from models.fsvae.model import FSVAE
from models.fsvae.settings import ClassifierSettings, ModelSettings, TrainSettings
from models.fsvae.training import LossRow, Member, Trained, train_member, train_members
from models.fsvae.unseen_classifier import UnseenClassifier, fit_unseen_classifier
from models.fsvae.vae import noise_width
from models.torch_generators import torch_generator
from models.whole_state import faults

TEMPERATURE = 0.1  # of cosines to decoded texts: what the ridge most often finds best on the training clips
CLASSIFIER = "classifier_"  # in front of the names of the unseen classifier's arrays in predictions.h5


class FSVAEScorer(Scorer):
    """The skeleton encoder's mean latent, then the unseen classifier."""

    def __init__(self, model: FSVAE, classifier: UnseenClassifier) -> None:
        super().__init__()
        self.model, self.classifier = model, classifier

    def forward(self, features: Tensor) -> Tensor:
        """(N, D_s) -> (N, U)."""
        mu, _ = self.model.encode_skeletons(features)  # (N, Z)
        return self.classifier.probabilities(mu)

    def arrays(self) -> Arrays:
        """The classifier's weight (U, Z) and bias (U,)."""
        layer = self.classifier.layer
        return {f"{CLASSIFIER}{name}": value.detach().numpy() for name, value in layer.state_dict().items()}

    def plain(self) -> nn.Module:
        """Return the same computation, with the frequency module as a matrix."""
        return PlainFSVAE(self.model, self.classifier)


@dataclass(frozen=True)
class FSVAEAligner:
    """FS-VAE with its settings."""

    model: ModelSettings
    train: TrainSettings
    classifier: ClassifierSettings

    @property
    def cycles(self) -> int:
        """The number of states: one after each cycle of training."""
        return self.train.cycles

    def fit(
        self,
        data: TrainingData,
        entropy: Entropy,
        device: torch.device,
        on_cycle: Callable[[int, LossRow], None],
    ) -> tuple[list[State], list[LossRow]]:
        """Train by `train_member` of models/fsvae/training.py."""
        return train_member(data, self.model, self.train, entropy, device, on_cycle)

    def fit_members(
        self, members: Sequence[Member], device: torch.device, tell: Callable[[str], None]
    ) -> list[Trained]:
        """Train all at once, by `train_members` of models/fsvae/training.py."""
        return train_members(members, self.model, self.train, device, tell)

    def scorer(
        self, state: State, texts: NDArray[np.float32], entropy: Entropy, arrays: Arrays | None = None
    ) -> Scorer:
        """Cosines to the decoded `texts`; or the unseen classifier, fitted to latents of `texts` or from `arrays`."""
        model = load_fsvae(state, texts.shape[1], self.model)
        if self.classifier.kind == "decoded":
            with torch.no_grad():
                decoded = model.skeleton.decode(model.encode_texts(torch.from_numpy(texts))[0])  # (U, D_s)
            return CosineScorer(model.space, decoded, TEMPERATURE)
        if arrays:
            replaced = torch_generator(REPLACED_WEIGHTS.torch_seed())
            classifier = UnseenClassifier(self.model.latent, len(texts), self.classifier, replaced)
            names = ("weight", "bias")
            classifier.layer.load_state_dict({name: torch.tensor(arrays[f"{CLASSIFIER}{name}"]) for name in names})
            return FSVAEScorer(model, classifier)
        generator = torch_generator(UNSEEN_CLASSIFIER.torch_seed(*entropy))
        with torch.no_grad():
            mu, logvar = model.encode_texts(torch.from_numpy(texts))  # (U, Z) each
        width = noise_width(self.model.noise, self.model.latent)
        return FSVAEScorer(model, fit_unseen_classifier(mu, logvar, width, self.classifier, generator))


def load_fsvae(state: State, text_size: int, settings: ModelSettings) -> FSVAE:
    """The model of one cycle; `text_size` is D_t.

    Raises ModelError when `state` lacks anything, or does not fit the settings.
    """
    model = FSVAE(skeleton_size(state, settings), text_size, settings, torch_generator(REPLACED_WEIGHTS.torch_seed()))
    expected = model.state_dict()
    if wrong := faults(state, expected):
        raise ModelError(f"the state of FS-VAE is not whole; {wrong}; run `fsvae-pipe train` again")
    model.load_state_dict(state)
    return model


def skeleton_size(state: State, settings: ModelSettings) -> int:
    """Return D_s, the input width of the skeleton encoder's first layer. Raises ModelError when there is no layer."""
    first = f"skeleton.{'encoder_hidden.0' if settings.hidden else 'encoder'}.weight"
    if first not in state or state[first].ndim != 2:
        raise ModelError(f"the state of FS-VAE has no matrix {first}; run `fsvae-pipe train` again")
    return int(state[first].shape[1])
