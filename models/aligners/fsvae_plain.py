"""The part of FS-VAE that turns features into probabilities of the unseen actions, as a module for the ONNX export."""

import torch
from torch import Tensor, nn

from models.fsvae.model import FSVAE
from models.fsvae.unseen_classifier import UnseenClassifier


class PlainFSVAE(nn.Module):
    """Features (B, D) -> mean latents (B, Z) -> probabilities (B, U).

    The feature space and the frequency module are linear, so that both are one matrix and a bias here: ONNX has no
    counterpart to the FFT that computes the latter.
    """

    matrix: Tensor
    bias: Tensor

    @torch.no_grad()
    def __init__(self, model: FSVAE, classifier: UnseenClassifier) -> None:
        super().__init__()
        self.skeleton, self.classifier = model.skeleton, classifier
        size = model.skeleton.decoder.out_features  # D
        frequency = model.skeleton_frequency or nn.Identity()
        bias = frequency(model.in_space(torch.zeros(1, size)))  # (1, D)
        self.register_buffer("bias", bias)
        self.register_buffer("matrix", frequency(model.in_space(torch.eye(size))) - bias)  # (D, D)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) -> (B, U)."""
        mu, _ = self.skeleton.encode(features @ self.matrix + self.bias)
        return self.classifier(mu).softmax(dim=1)  # type: ignore[no-any-return]
