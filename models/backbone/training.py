"""Train a backbone on labelled clips, and measure it after every epoch on clips that it does not train on.

The order of clips and the augmentation depend only on the seed, the epoch and the clip. So training that was stopped
goes on with the same results, and processes draw the same numbers without communication. accelerate runs the processes
and devices. When started by `accelerate launch`, every process takes its share of each batch, and its batch statistics
are those of its share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from numpy.typing import NDArray
from torch import Tensor, nn

from data.random_streams import BACKBONE_AUGMENTATION, BACKBONE_ORDER, BACKBONE_WEIGHTS
from models.ahead import ahead_of
from models.backbone.augmentation import augment, augments
from models.backbone.features import LoadBatch, clip_features
from models.backbone.networks import network_class
from models.backbone.protocol import Backbone
from models.backbone.recipe import MOMENTUM, learning_rate
from models.backbone.settings import BackboneSettings
from models.backbone.state import EpochReport, TrainingState, best_epoch
from models.errors import ModelError
from models.torch_generators import torch_generator

SMALLEST_SHARE = 2  # clips of a batch that one process needs


@dataclass(frozen=True)
class TrainingClips:
    """Which clips train and which are held out, with their classes (0 ... num_classes - 1), and how to read them."""

    fit: NDArray[np.int64]
    fit_class: NDArray[np.int64]
    held_out: NDArray[np.int64]
    held_out_class: NDArray[np.int64]
    num_classes: int
    load_batch: LoadBatch


@dataclass(frozen=True)
class Trainer:
    """A network that trains, with its optimiser, on the device of the accelerator."""

    network: Backbone
    wrapped: nn.Module  # the network as accelerate wraps it
    optimiser: Any
    accelerator: Accelerator
    settings: BackboneSettings

    @classmethod
    def start(cls, num_classes: int, settings: BackboneSettings, seed: int, accelerator: Accelerator) -> Self:
        """Build the network of `settings`, with first weights drawn by `seed`."""
        generator = torch_generator(BACKBONE_WEIGHTS.torch_seed(seed))
        network = network_class(settings.network).build(num_classes, settings, generator)
        optimiser = torch.optim.SGD(network.parameter_groups(), momentum=MOMENTUM, nesterov=True)
        wrapped, optimiser = accelerator.prepare(network, optimiser)
        return cls(network, wrapped, optimiser, accelerator, settings)

    def step(self, clips: Tensor, target: Tensor, batch_size: int, epochs_done: float) -> Tensor:
        """Make one step on `clips` (B, 3, T, 25, 2) of the classes `target` (B,), on the device.

        B is this process's share of a batch of `batch_size`. `epochs_done` sets the learning rate. Returns the sum of
        the losses and the number of hits, (2,). Raises ModelError when the loss is no longer a number.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, epochs_done / self.settings.epochs)
        with self.accelerator.autocast():
            logits = self.wrapped(clips)
            loss = nn.functional.cross_entropy(
                logits, target, reduction="sum", label_smoothing=self.settings.label_smoothing
            )
        if not loss.isfinite():
            raise ModelError(
                f"training diverged in epoch {int(epochs_done) + 1} (the loss is {loss.item()}): lower "
                "backbone.learning_rate, set backbone.clip_gradient = 1.0, or train in fp32"
            )
        # Processes' gradients are averaged; this makes the average that of the loss over the whole batch.
        self.accelerator.backward(loss * (self.accelerator.num_processes / batch_size))
        self.accelerator.unscale_gradients(self.optimiser)  # does nothing without fp16
        self.network.after_backward(self.settings)
        if self.settings.clip_gradient > 0:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_gradient)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return torch.stack((loss.detach(), (logits.detach().argmax(1) == target).sum()))


def train_backbone(
    clips: TrainingClips,
    settings: BackboneSettings,
    seed: int,
    accelerator: Accelerator,
    state: TrainingState | None = None,
    after_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> tuple[Backbone, list[EpochReport]]:
    """Train the network of `settings` from the start, or from `state`. `after_epoch` gets the state after each epoch.

    Returns all reports, and the network as it was after the epoch that `settings.keep` asks for, on the accelerator's
    device. Raises ModelError when there are too few clips for the processes, or when the loss is no longer a number.
    """
    steps = max(1, len(clips.fit) // settings.batch_size)
    smallest = len(clips.fit) // steps
    if smallest < SMALLEST_SHARE * accelerator.num_processes:
        raise ModelError(
            f"batches of {smallest} clips are too small for {accelerator.num_processes} processes, which need "
            f"{SMALLEST_SHARE} each: raise backbone.batch_size, add training clips, or start fewer processes"
        )
    trainer = Trainer.start(clips.num_classes, settings, seed, accelerator)
    network = trainer.network
    state = state or TrainingState()
    _restore(trainer, state)
    for epoch in range(len(state.reports), settings.epochs):
        loss, train_top1 = _train_epoch(trainer, clips, (seed, epoch), steps)
        for buffer in network.buffers():  # running statistics differ between processes
            broadcast(buffer)
        scores = held_out_accuracy(network, clips, settings.batch_size, accelerator)
        state.reports.append(EpochReport(epoch + 1, loss, train_top1, *scores))
        _record(trainer, state)
        after_epoch(state)
    network.load_state_dict(state.best)
    return network, state.reports


def _train_epoch(trainer: Trainer, clips: TrainingClips, key: tuple[int, int], steps: int) -> tuple[float, float]:
    """One pass over the clips, drawn by `key` = (seed, epoch). Returns the mean loss and top-1 accuracy in percent."""
    accelerator = trainer.accelerator
    trainer.wrapped.train()
    order = BACKBONE_ORDER.generator(*key).permutation(len(clips.fit))
    totals = torch.zeros(2, device=accelerator.device)
    batches = np.array_split(order, steps)
    shares = [batch[accelerator.process_index :: accelerator.num_processes] for batch in batches]
    loaded = ahead_of(accelerator.device, lambda places: _training_batch(clips, places, trainer.settings, key), shares)
    for step, (batch, mine, rows) in enumerate(zip(batches, shares, loaded, strict=True)):
        x, target = (torch.from_numpy(array).to(accelerator.device) for array in (rows, clips.fit_class[mine]))
        totals += trainer.step(x, target, len(batch), key[1] + step / steps)
    loss_sum, hits = accelerator.reduce(totals, "sum").tolist()
    return loss_sum / len(order), 100 * hits / len(order)


def _training_batch(
    clips: TrainingClips, places: NDArray[np.int64], settings: BackboneSettings, key: tuple[int, int]
) -> NDArray[np.float32]:
    """The clips at `places` of `clips.fit`, augmented as `settings` say. Each clip has its own generator."""
    batch = clips.load_batch(clips.fit[places])
    if not augments(settings):
        return batch
    generators = (BACKBONE_AUGMENTATION.generator(*key, int(clip)) for clip in clips.fit[places])
    return np.stack([augment(clip, settings, generator) for clip, generator in zip(batch, generators, strict=True)])


def held_out_accuracy(
    network: Backbone, clips: TrainingClips, batch_size: int, accelerator: Accelerator
) -> tuple[float, float, tuple[float, ...]]:
    """Top-1, top-5 and top-1 by class on the held-out clips, in percent; NaN where there are no clips.

    Every process measures its share of the clips, and all get the same result.
    """
    mine = slice(accelerator.process_index, None, accelerator.num_processes)
    target = clips.held_out_class[mine]
    _, logits = clip_features(network, clips.held_out[mine], clips.load_batch, batch_size)
    ranked = (-logits).argsort(1, kind="stable")[:, :5] == target[:, None]
    tally = np.zeros((3, clips.num_classes), np.float32)  # clips, first places, places among the first five
    for row, counted in zip(tally, (np.ones(len(target)), ranked[:, 0], ranked.any(1)), strict=True):
        np.add.at(row, target, counted)
    total, first, five = accelerator.reduce(torch.from_numpy(tally).to(accelerator.device), "sum").cpu().double()
    per_class = (100 * first / total).tolist()  # 0 / 0 is NaN
    return (100 * first.sum() / total.sum()).item(), (100 * five.sum() / total.sum()).item(), tuple(per_class)


def _record(trainer: Trainer, state: TrainingState) -> None:
    """Copy the present weights and the optimiser's momentum into `state`, in main memory."""
    network, of_parameter, scaler = trainer.network, trainer.optimiser.state, trainer.accelerator.scaler
    state.weights = _copies(network.state_dict())
    state.momentum = _copies(
        {
            name: of_parameter[parameter]["momentum_buffer"]
            for name, parameter in network.named_parameters()
            if "momentum_buffer" in of_parameter[parameter]
        }
    )
    if trainer.settings.keep == "last" or best_epoch(state.reports) == len(state.reports):
        state.best = _copies(network.state_dict())
    if scaler is not None:
        state.scaler = scaler.state_dict()


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _restore(trainer: Trainer, state: TrainingState) -> None:
    """Take weights and momentum from `state`, as `_record` put them there. A state without epochs changes nothing."""
    if not state.reports:
        return
    trainer.network.load_state_dict(state.weights)
    for name, parameter in trainer.network.named_parameters():
        if name in state.momentum:
            trainer.optimiser.state[parameter]["momentum_buffer"] = state.momentum[name].to(parameter.device)
    if trainer.accelerator.scaler is not None and state.scaler:
        trainer.accelerator.scaler.load_state_dict(state.scaler)
