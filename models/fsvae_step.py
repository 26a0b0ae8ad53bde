"""The gradients of one FS-VAE training step, worked out by hand.

A step is a handful of small matrix products; with autograd, half of its time went into building and walking the graph
and into fresh memory. Here every product and every gradient of a linear layer is written into the same memory step
after step, parameters and gradients are one flat tensor each (so that Adam is one call), the DCT of all features is
taken once (models/gained_dct.py), the text encoder sees each action of a batch once, and cross-reconstructions are
decoded only while a loss uses them.

Letters: B batch, U distinct actions of a batch, D features, Z latent. Rows of latents: B of skeletons, then B of texts.
"""

import math

import torch
from torch import Tensor, nn

from models.frequency import FrequencyModule
from models.fsvae import FSVAE
from models.fsvae_batches import Batch, TrainingData
from models.fsvae_settings import TrainSettings
from models.gained_dct import gains_on
from models.losses import calibrated_loss, kl_divergence, squared_distances, squared_distances_gradient
from models.schedules import Schedule
from models.vae import VAE


class Scratch:
    """Memory that is used again in every step, by name."""

    def __init__(self, device: torch.device) -> None:
        self._kept: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self._device = device

    def __call__(self, name: str, *shape: int) -> Tensor:
        """A tensor of `shape` that holds anything; the same memory as the last time under `name`, if that is enough."""
        view = self._views.get((name, shape))
        return self._new_view(name, shape) if view is None else view

    def _new_view(self, name: str, shape: tuple[int, ...]) -> Tensor:
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or len(kept) < size:
            kept = self._kept[name] = torch.empty(size, device=self._device)
            self._views = {key: view for key, view in self._views.items() if key[0] != name}
        view = self._views[name, shape] = kept[:size].view(shape)
        return view

    def rows(self, name: str, table: Tensor, index: Tensor) -> Tensor:
        """Rows of a table (N, D) by `index` (B,), as (B, D)."""
        return torch.index_select(table, 0, index, out=self(name, len(index), table.shape[1]))


class Layers:
    """Linear layers with a ReLU between every two, and behind the last where said."""

    def __init__(self, layers: list[nn.Linear], relu_behind: bool, name: str, scratch: Scratch) -> None:
        self.layers, self.relu_behind, self.name, self.scratch = layers, relu_behind, name, scratch
        self.values: list[Tensor] = []  # what each layer was given, and what the last one gave

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) -> (B, D') of the last layer; valid until the next call."""
        self.values = [rows]
        for place, layer in enumerate(self.layers):
            out = self.scratch(f"{self.name} {place}", len(rows), layer.out_features)
            rows = torch.addmm(layer.bias, rows, layer.weight.T, out=out)  # (B, D')
            if self.relu_behind or place < len(self.layers) - 1:
                rows.relu_()
            self.values.append(rows)
        return rows

    def backward(self, gradient: Tensor, into: Tensor | None) -> None:
        """Set the gradients of all weights from that of the output (B, D'), which is overwritten.

        `into` (B, D) is given the gradient of the input, if it is wanted.
        """
        for place in range(len(self.layers) - 1, -1, -1):
            layer, given, gave = self.layers[place], self.values[place], self.values[place + 1]
            assert layer.weight.grad is not None
            assert layer.bias.grad is not None
            if self.relu_behind or place < len(self.layers) - 1:
                gradient *= torch.sign(gave, out=gave)
            torch.mm(gradient.T, given, out=layer.weight.grad)
            torch.sum(gradient, 0, out=layer.bias.grad)
            if place:
                before = self.scratch(f"{self.name} gradient {place}", *given.shape)
                gradient = torch.mm(gradient, layer.weight, out=before)  # (B, D of the layer before)
            elif into is not None:
                torch.mm(gradient, layer.weight, out=into)


class Gains:
    """The frequency module of a branch, and the gradients of its few parameters."""

    def __init__(self, module: FrequencyModule, features: Tensor) -> None:
        self.module, self.on_features = module, gains_on(features)

    def forward(self, index: Tensor) -> Tensor:
        """Rows of the features, (B,) -> (B, D) enhanced."""
        return self.on_features.forward(index, self.module.gains())

    def backward(self, gradient: Tensor) -> None:
        """From the gradient of the enhanced features, (B, D)."""
        module = self.module
        assert module.weight.grad is not None
        assert module.strength.grad is not None
        of_gains = self.on_features.backward(gradient) * module.slope  # (D,)
        module.weight.grad.zero_().index_add_(0, module.band, of_gains * module.strength)
        module.strength.grad.copy_(torch.dot(of_gains, module.weight[module.band]))


class Branch:
    """One modality in training: its features, and its VAE with or without a frequency module."""

    def __init__(
        self, features: Tensor, vae: VAE, frequency: FrequencyModule | None, name: str, scratch: Scratch
    ) -> None:
        self.name, self.scratch, self.features = name, scratch, features
        self.gains = Gains(frequency, features) if frequency else None
        self.target = self.decoded = self.gradient = torch.empty(0)
        encoder = [*_linear(vae.encoder_hidden), vae.encoder]
        decoder = [*_linear(vae.decoder_hidden), vae.decoder]
        self.encoder = Layers(encoder, relu_behind=False, name=f"{name} encoder", scratch=scratch)
        self.decoder = Layers(decoder, relu_behind=vae.decoder_relu, name=f"{name} decoder", scratch=scratch)

    def encode(self, index: Tensor) -> Tensor:
        """Rows of the features, (B,) -> mu beside log-variance, (B, 2 Z)."""
        if self.gains:
            return self.encoder.forward(self.gains.forward(index))
        return self.encoder.forward(self.scratch.rows(f"{self.name} given", self.features, index))

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
        return self._squared_error(self.decoded[size:], self.gradient[size:], weight, told)

    def _squared_error(self, decoded: Tensor, gradient: Tensor, weight: float, told: bool) -> float:
        torch.sub(decoded, self.target, out=gradient)
        error = gradient.square().mean().item() if told else 0.0
        gradient.mul_(2 * weight / gradient.numel())
        return error

    def distances(self) -> Tensor:
        """Squared distances of the features to what the other modality's latents decode to, (B, B)."""
        return squared_distances(self.target, self.decoded[len(self.target) :])

    def add_distances_gradient(self, gradient: Tensor) -> None:
        """From the gradient of `distances`, (B, B)."""
        others = self.decoded[len(self.target) :]
        found = self.scratch(f"{self.name} of distances", *others.shape)
        self.gradient[len(self.target) :] += squared_distances_gradient(gradient, self.target, others, found)

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
        encoded[:size] = self.skeleton.encode(batch.clips)
        of_actions = self.text.encode(batch.texts)  # (U, 2 Z)
        torch.index_select(of_actions, 0, batch.place_of_clip, out=encoded[size:])
        mu, logvar = encoded[:, :latent], encoded[:, latent:]  # (2 B, Z) each
        noise = batch.noise.view(2 * size, -1)
        deviation = torch.mul(logvar, 0.5, out=scratch("deviation", 2 * size, latent)).exp_()
        latents = torch.addcmul(mu, deviation, noise, out=scratch("latents", 2 * size, latent))

        losses, of_latents = self._decode(step, batch, latents, told)
        weights = self.schedule.skeleton_kl(step), self.schedule.text_kl(cycle, step)
        of_encoded = scratch("of encoded", 2 * size, 2 * latent)
        of_encoded[:, :latent] = of_latents
        torch.mul(of_latents.mul_(noise), deviation, out=of_encoded[:, latent:]).mul_(0.5)
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

    def _decode(self, step: int, batch: Batch, latents: Tensor, told: bool) -> tuple[list[float], Tensor]:
        """Reconstruct, and go back: the four losses of reconstructions if `told`, the gradient of latents (2 B, Z)."""
        size, scratch, settings = len(batch.clips), self.scratch, self.settings
        calibrated = self.schedule.calibrated(step) and settings.alpha > 0
        of_latents = scratch("of latents", 2 * size, self.latent)
        if not calibrated and not settings.cross_weight:
            skeleton = self.skeleton.decode(latents[:size], batch.clips, told)
            text = self.text.decode(latents[size:], batch.text_of_clip, told)
            self.skeleton.decode_backward(of_latents[:size])
            self.text.decode_backward(of_latents[size:])
            return [skeleton, text, 0.0, 0.0], of_latents
        swapped = scratch("swapped", 2 * size, self.latent)
        torch.cat((latents[size:], latents[:size]), out=swapped)
        skeleton = self.skeleton.decode(latents, batch.clips, told)
        text = self.text.decode(swapped, batch.text_of_clip, told)
        cross = sum(branch.cross(settings.cross_weight, told) for branch in (self.skeleton, self.text))
        calibration = self._calibrate(batch) if calibrated else 0.0
        self.skeleton.decode_backward(of_latents)
        self.text.decode_backward(swapped)
        of_latents[:size] += swapped[size:]
        of_latents[size:] += swapped[:size]
        return [skeleton, text, calibration, cross if settings.cross_weight else 0.0], of_latents

    def _calibrate(self, batch: Batch) -> float:
        """The calibrated loss, its gradients added. Autograd does the (B, B) distances, which are small."""
        settings = self.settings
        with torch.enable_grad():
            distances = (self.skeleton.distances().requires_grad_(), self.text.distances().requires_grad_())
            loss = calibrated_loss(
                settings.calibrated, *distances, batch.permutation, batch.text_of_clip, settings.lambda_
            )
            gradients = torch.autograd.grad(settings.lambda_ * settings.alpha * loss, distances)
        for branch, gradient in zip((self.skeleton, self.text), gradients, strict=True):
            branch.add_distances_gradient(gradient)
        return loss.item()


ALIGNED = 16  # numbers; each parameter starts at a multiple, which is 64 bytes, for the sake of fast products


def flatten(model: nn.Module) -> nn.Parameter:
    """Lay a model's parameters, and gradients for them, one behind the other; the one tensor that holds them all."""
    own = list(model.parameters())
    starts = [0]
    for parameter in own:
        starts.append(starts[-1] + -(-parameter.numel() // ALIGNED) * ALIGNED)
    flat = nn.Parameter(torch.zeros(starts[-1], device=own[0].device))
    flat.grad = torch.zeros_like(flat)
    for start, parameter in zip(starts, own, strict=False):
        place = slice(start, start + parameter.numel())
        flat.data[place] = parameter.data.flatten()
        parameter.data = flat.data[place].view(parameter.shape)
        parameter.grad = flat.grad[place].view(parameter.shape)
    return flat
