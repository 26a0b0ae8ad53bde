"""The part of FS-VAE that turns features into probabilities of the unseen actions, as a module for the ONNX export."""

import torch
from torch import Tensor, nn

from models.fsvae.model import FSVAE
from models.fsvae.unseen_classifier import UnseenClassifier


class PlainFSVAE(nn.Module):
    """Features (B, D) -> mean latents (B, Z) -> probabilities (B, U).

    The frequency module is linear, so it is one matrix here: ONNX has no counterpart to the FFT that computes it.
    """

    frequency: Tensor | None

    @torch.no_grad()
    def __init__(self, model: FSVAE, classifier: UnseenClassifier) -> None:
        super().__init__()
        self.skeleton, self.classifier = model.skeleton, classifier
        frequency = model.skeleton_frequency
        matrix = None if frequency is None else frequency(torch.eye(len(frequency.slope)))  # (D, D)
        self.register_buffer("frequency", matrix)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) -> (B, U)."""
        mu, _ = self.skeleton.encode(features if self.frequency is None else features @ self.frequency)
        return self.classifier(mu).softmax(dim=1)  # type: ignore[no-any-return]
