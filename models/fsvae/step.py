"""The gradients of one FS-VAE training step, worked out by hand.

A step is a handful of small matrix products; with autograd, half of its time went into building and walking the graph
and into fresh memory. Here every product and every gradient of a linear layer is written into the same memory step
after step, parameters and gradients are one flat tensor each so that Adam is one call (models/fsvae/layers.py), the DCT
of all features is taken once (models/fsvae/gained_dct.py), the text encoder sees each action of a batch once, and
cross-reconstructions are decoded only while a loss uses them.

Letters: B batch, U distinct actions of a batch, D features, Z latent. Rows of latents: B of skeletons, then B of texts.
"""

import torch
from torch import Tensor, nn

from models.fsvae.batches import Batch, TrainingData
from models.fsvae.frequency import FrequencyModule
from models.fsvae.gained_dct import GainedDCT
from models.fsvae.layers import MEAN, Layers, Scratch, flatten, squared_error_backward
from models.fsvae.losses import (
    add_squared_distances_gradient,
    calibrated_gradients,
    calibrated_loss,
    kl_divergence,
    squared_distances,
)
from models.fsvae.model import FSVAE
from models.fsvae.schedules import Schedule
from models.fsvae.settings import TrainSettings
from models.fsvae.vae import VAE


class Gains:
    """The frequency module of a branch, and the gradients of its few parameters."""

    def __init__(self, module: FrequencyModule, features: Tensor) -> None:
        self.module, self.on_features = module, GainedDCT(features)
        self._one = torch.ones((), device=features.device)
        self._weight = features[:0]

    def forward(self, index: Tensor) -> Tensor:
        """Rows of the features, (B,) -> (B, D) enhanced."""
        self._weight = self.module.weight.index_select(0, self.module.band)  # (D,)
        gains = torch.addcmul(self._one, self._weight, self.module.slope * self.module.strength)
        return self.on_features.forward(index, gains)

    def backward(self, gradient: Tensor) -> None:
        """From the gradient of the enhanced features, (B, D)."""
        module = self.module
        assert module.weight.grad is not None
        assert module.strength.grad is not None
        of_gains = self.on_features.backward(gradient).mul_(module.slope)  # (D,)
        torch.dot(of_gains, self._weight, out=module.strength.grad)
        module.weight.grad.zero_().index_add_(0, module.band, of_gains.mul_(module.strength))


class Branch:
    """One modality in training: its features, and its VAE with or without a frequency module."""

    def __init__(
        self, features: Tensor, vae: VAE, frequency: FrequencyModule | None, name: str, scratch: Scratch
    ) -> None:
        self.name, self.scratch, self.features = name, scratch, features
        self.gains = Gains(frequency, features) if frequency else None
        self.target = self.decoded = self.gradient = torch.empty(0)
        self.one = torch.ones((), device=features.device)
        encoder = [*_linear(vae.encoder_hidden), vae.encoder]
        decoder = [*_linear(vae.decoder_hidden), vae.decoder]
        self.encoder = Layers(encoder, relu_behind=False, name=f"{name} encoder", scratch=scratch)
        self.decoder = Layers(decoder, relu_behind=vae.decoder_relu, name=f"{name} decoder", scratch=scratch)

    def encode(self, index: Tensor, into: Tensor | None = None) -> Tensor:
        """Rows of the features, (B,) -> mu beside log-variance, (B, 2 Z), in `into` where given."""
        if self.gains:
            return self.encoder.forward(self.gains.forward(index), into)
        return self.encoder.forward(self.scratch.rows(f"{self.name} given", self.features, index), into)

    def decode(self, latents: Tensor, index: Tensor, told: bool) -> float:
        """Decode own latents, and behind them, where there are as many, the other modality's: (B or 2 B, Z).

        Starts the gradient of what was decoded with that of the mean squared error of own latents; the error if `told`.
        """
        size = len(index)
        self.target = self.scratch.rows(f"{self.name} target", self.features, index)  # (B, D)
        self.decoded = self.decoder.forward(latents)  # (B or 2 B, D)
        self.gradient = self.scratch(f"{self.name} gradient", *self.decoded.shape)
        return self._squared_error(self.decoded[:size], self.gradient[:size], 1.0, told)

    def cross(self, weight: float, told: bool) -> float:
        """The mean squared error of what the other modality's latents decode to, and `weight` times its gradient."""
        size = len(self.target)
        if not weight:
            self.gradient[size:].zero_()
            return 0.0
        return self._squared_error(self.decoded[size:], self.gradient[size:], weight, told)

    def _squared_error(self, decoded: Tensor, gradient: Tensor, weight: float, told: bool) -> float:
        squared_error_backward(self.one * weight, decoded, self.target, MEAN, grad_input=gradient)
        return nn.functional.mse_loss(decoded, self.target).item() if told else 0.0

    def distances(self) -> Tensor:
        """Squared distances of the features to what the other modality's latents decode to, (B, B)."""
        return squared_distances(self.target, self.decoded[len(self.target) :])

    def add_distances_gradient(self, gradient: Tensor) -> None:
        """From the gradient of `distances`, (B, B)."""
        size = len(self.target)
        add_squared_distances_gradient(gradient, self.target, self.decoded[size:], self.gradient[size:])

    def decode_backward(self, into: Tensor) -> None:
        """Set the decoder's gradients; `into` (B or 2 B, Z) is given that of the latents."""
        self.decoder.backward(self.gradient, into)

    def encode_backward(self, gradient: Tensor) -> None:
        """From the gradient of what `encode` gave, (B, 2 Z)."""
        if self.gains:
            enhanced = self.scratch(f"{self.name} enhanced", len(gradient), self.features.shape[1])
            self.encoder.backward(gradient, enhanced)
            self.gains.backward(enhanced)
        else:
            self.encoder.backward(gradient, None)


def _linear(hidden: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in hidden if isinstance(layer, nn.Linear)]


class TrainingStep:
    """One step: the losses of a batch, and their gradients in the parameters' `.grad`."""

    def __init__(
        self, model: FSVAE, data: TrainingData, settings: TrainSettings, schedule: Schedule, device: torch.device
    ) -> None:
        self.settings, self.schedule = settings, schedule
        self.latent = model.skeleton.latent
        self.scratch = Scratch(device)
        skeletons, texts = torch.tensor(data.skeletons, device=device), torch.tensor(data.texts, device=device)
        with torch.no_grad():
            self.skeleton = Branch(skeletons, model.skeleton, model.skeleton_frequency, "skeleton", self.scratch)
            self.text = Branch(texts, model.text, model.text_frequency, "text", self.scratch)
        self.parameters = flatten(model)

    @torch.no_grad()
    def gradients(self, cycle: int, step: int, batch: Batch, told: bool) -> list[float]:
        """Set every gradient; the losses in the order of LossRow where they are to be `told`, else nothing."""
        size, latent, scratch = len(batch.clips), self.latent, self.scratch
        encoded = scratch("encoded", 2 * size, 2 * latent)
        self.skeleton.encode(batch.clips, encoded[:size])
        of_actions = self.text.encode(batch.texts)  # (U, 2 Z)
        torch.index_select(of_actions, 0, batch.place_of_clip, out=encoded[size:])
        mu, logvar = encoded[:, :latent], encoded[:, latent:]  # (2 B, Z) each
        noise = batch.noise.view(2 * size, -1)
        deviation = torch.mul(logvar, 0.5, out=scratch("deviation", 2 * size, latent)).exp_()
        latents = torch.addcmul(mu, deviation, noise, out=scratch("latents", 2 * size, latent))

        of_encoded = scratch("of encoded", 2 * size, 2 * latent)
        of_latents = of_encoded[:, :latent]  # the gradient of mu is that of the latents
        losses = self._decode(step, batch, latents, of_latents, told)
        torch.mul(deviation.mul_(0.5), noise, out=latents)
        torch.mul(of_latents, latents, out=of_encoded[:, latent:])
        weights = self.schedule.skeleton_kl(step), self.schedule.text_kl(cycle, step)
        kl = [0.0, 0.0]
        for place, weight in enumerate(weights):
            if weight:
                half = slice(place * size, (place + 1) * size)
                of_encoded[half, :latent].add_(mu[half], alpha=weight / size)
                of_encoded[half, latent:].add_(logvar[half].exp().sub_(1), alpha=0.5 * weight / size)
                if told:
                    kl[place] = kl_divergence(mu[half], logvar[half]).item()
        self.skeleton.encode_backward(of_encoded[:size])
        of_texts = scratch("of texts", len(batch.texts), 2 * latent).zero_()
        self.text.encode_backward(of_texts.index_add_(0, batch.place_of_clip, of_encoded[size:]))
        if not told:
            return []
        skeleton, text, calibrated, cross = losses
        total = skeleton + text + weights[0] * kl[0] + weights[1] * kl[1]
        total += self.settings.lambda_ * self.settings.alpha * calibrated + self.settings.cross_weight * cross
        return [skeleton, text, *kl, calibrated, cross, total]

    def _decode(self, step: int, batch: Batch, latents: Tensor, of_latents: Tensor, told: bool) -> list[float]:
        """Reconstruct latents (2 B, Z), and go back: `of_latents` (2 B, Z) is given their gradient.

        Gives the four losses of reconstructions if `told`.
        """
        size, scratch, settings = len(batch.clips), self.scratch, self.settings
        calibrated = self.schedule.calibrated(step) and settings.alpha > 0
        if not calibrated and not settings.cross_weight:
            skeleton = self.skeleton.decode(latents[:size], batch.clips, told)
            text = self.text.decode(latents[size:], batch.text_of_clip, told)
            self.skeleton.decode_backward(of_latents[:size])
            self.text.decode_backward(of_latents[size:])
            return [skeleton, text, 0.0, 0.0]
        swapped = scratch("swapped", 2 * size, self.latent)
        torch.cat((latents[size:], latents[:size]), out=swapped)
        skeleton = self.skeleton.decode(latents, batch.clips, told)
        text = self.text.decode(swapped, batch.text_of_clip, told)
        cross = sum(branch.cross(settings.cross_weight, told) for branch in (self.skeleton, self.text))
        calibration = self._calibrate(batch, told) if calibrated else 0.0
        self.skeleton.decode_backward(of_latents)
        self.text.decode_backward(swapped)
        of_latents[:size] += swapped[size:]
        of_latents[size:] += swapped[:size]
        return [skeleton, text, calibration, cross]

    def _calibrate(self, batch: Batch, told: bool) -> float:
        """Add the gradients of the calibrated loss to those of what was decoded; the loss if `told`."""
        kind, temperature, alpha = self.settings.calibrated, self.settings.lambda_, self.settings.alpha
        distances = self.skeleton.distances(), self.text.distances()
        pairs = batch.permutation, batch.text_of_clip
        gradients = calibrated_gradients(kind, *distances, *pairs, temperature)
        for branch, gradient in zip((self.skeleton, self.text), gradients, strict=True):
            branch.add_distances_gradient(gradient.mul_(temperature * alpha))
        return calibrated_loss(kind, *distances, *pairs, temperature).item() if told else 0.0
