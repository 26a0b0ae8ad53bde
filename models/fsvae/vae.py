"""A variational autoencoder for one modality. FS-VAE has two.

    mu, logvar = encoder(x)        z = mu + exp(logvar / 2) * eps        reconstruction = decoder(z)

The released runs have no hidden layer, a ReLU after the decoder, and Xavier-uniform weights with gain 0.5.

Letters: B batch, D features, Z latent.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

GAIN = 0.5


class VAE(nn.Module):
    """Encoder (B, D) -> mu and log-variance (B, Z) each; decoder (B, Z) -> (B, D)."""

    def __init__(
        self, features: int, latent: int, hidden: Sequence[int], decoder_relu: bool, generator: torch.Generator
    ) -> None:
        """`generator` draws the first weights. `hidden` are the encoder's widths; the decoder has them in reverse."""
        super().__init__()
        self.latent = latent
        encoder_widths, decoder_widths = [features, *hidden], [latent, *reversed(hidden)]
        self.encoder_hidden = nn.Sequential(*_hidden_layers(encoder_widths, generator))
        self.encoder = nn.Linear(encoder_widths[-1], 2 * latent)  # mu, then log-variance
        for half in torch.split(self.encoder.weight.data, latent):
            nn.init.xavier_uniform_(half, GAIN, generator)
        nn.init.zeros_(self.encoder.bias)
        self.decoder_hidden = nn.Sequential(*_hidden_layers(decoder_widths, generator))
        self.decoder = _linear(decoder_widths[-1], features, generator)
        self.decoder_relu = decoder_relu

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> mu, log-variance, (B, Z) each."""
        mu, logvar = self.encoder(self.encoder_hidden(rows)).split(self.latent, dim=-1)
        return mu, logvar

    def decode(self, latents: Tensor) -> Tensor:
        """(B, Z) -> (B, D)."""
        rows: Tensor = self.decoder(self.decoder_hidden(latents))
        return rows.relu() if self.decoder_relu else rows


def draw_latents(mu: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """mu + exp(logvar / 2) * noise, (B, Z). `noise` is (B, Z), or (B, 1) for one number for each sample."""
    return torch.addcmul(mu, (0.5 * logvar).exp(), noise.expand_as(mu))


def noise_width(noise: Literal["sample", "dimension"], latent: int) -> int:
    """How many numbers of noise a sample has: one (released code), or one for each dimension."""
    return 1 if noise == "sample" else latent


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, GAIN, generator)
    nn.init.zeros_(layer.bias)
    return layer


def _hidden_layers(widths: Sequence[int], generator: torch.Generator) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [_linear(inputs, outputs, generator), nn.ReLU()]
    return layers
