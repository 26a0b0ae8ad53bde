"""Train a Shift-GCN on labelled clips, measured after every epoch on clips that it does not train on.

What is drawn (order of clips, augmentation) depends on the seed, the epoch and the clip alone, so that training that
was cut off continues as if it had not been, and processes agree without talking. Processes and devices are
accelerate's: started by `accelerate launch`, every process takes its share of each batch.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from models.backbone_features import LoadBatch, clip_features
from models.backbone_settings import BackboneSettings
from models.shift_gcn import ShiftGCN

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
SPATIAL_WEIGHT_DECAY = 1e-3
STEP_SHARES = (60 / 140, 80 / 140, 100 / 140)  # of all epochs; the published steps
WARM_UP_SHARE = 0.2
OFFSET_STEP = 0.01
OFFSET_STEP_AT_ZERO = 1e-4


@dataclass(frozen=True)
class EpochReport:
    """How one epoch went. Accuracies are in percent, on held-out clips; NaN where there are none."""

    epoch: int  # from 1
    loss: float  # mean over the training clips
    train_top1: float  # percent, while training
    top1: float
    top5: float
    per_class: tuple[float, ...]  # top-1 by class, in the order of the classes


@dataclass
class TrainingState:
    """All that training needs to go on after an epoch."""

    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]
    best: dict[str, Tensor]
    reports: list[EpochReport] = field(default_factory=list)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors under one set of names."""
        parts = (("weights", self.weights), ("momentum", self.momentum), ("best", self.best))
        return {f"{part}/{name}": tensor for part, tensors in parts for name, tensor in tensors.items()}

    def metadata(self) -> dict[str, str]:
        """Everything else, as text."""
        return {"reports": json.dumps([asdict(report) for report in self.reports])}

    @classmethod
    def from_saved(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> "TrainingState":
        """What `tensors` and `metadata` were made of."""
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "momentum": {}, "best": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        reports = [
            EpochReport(**{**report, "per_class": tuple(report["per_class"])})
            for report in json.loads(metadata["reports"])
        ]
        return cls(**parts, reports=reports)


@dataclass(frozen=True)
class TrainingClips:
    """Which clips train and which are held out, with their classes (0 ... num_classes - 1), and how to read them."""

    fit: NDArray[np.int64]
    fit_class: NDArray[np.int64]
    held_out: NDArray[np.int64]
    held_out_class: NDArray[np.int64]
    num_classes: int
    load_batch: LoadBatch


def train_backbone(
    clips: TrainingClips,
    settings: BackboneSettings,
    seed: int,
    accelerator: Accelerator,
    state: TrainingState | None = None,
    after_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> tuple[ShiftGCN, list[EpochReport]]:
    """Train a network from the start, or from `state`; `after_epoch` gets the state after each epoch.

    Returns the network of the epoch that `settings.keep` says, on the accelerator's device, and all reports.
    """
    network = ShiftGCN(clips.num_classes, torch.Generator().manual_seed(seed))
    optimiser = torch.optim.SGD(parameter_groups(network), momentum=MOMENTUM, nesterov=True)
    trained, optimiser = accelerator.prepare(network, optimiser)
    if state is None:
        state = TrainingState({}, {}, {})
    else:
        _restore(network, optimiser, state)
    steps = max(1, len(clips.fit) // settings.batch_size)
    for epoch in range(len(state.reports), settings.epochs):
        loss, train_top1 = _train_epoch(trained, optimiser, accelerator, clips, settings, (seed, epoch), steps)
        scores = held_out_accuracy(network, clips, settings.batch_size)
        state.reports.append(EpochReport(epoch + 1, loss, train_top1, *scores))
        state.weights = {name: tensor.clone().cpu() for name, tensor in network.state_dict().items()}
        state.momentum = _momentum(network, optimiser)
        if settings.keep == "last" or best_epoch(state.reports) == epoch + 1:
            state.best = {name: tensor.clone() for name, tensor in state.weights.items()}  # files share no memory
        after_epoch(state)
    network.load_state_dict(state.best)
    return network, state.reports


def best_epoch(reports: Sequence[EpochReport]) -> int:
    """The number of the epoch with the highest held-out top-1, the latest of equals."""
    return max(reports, key=lambda report: (-1.0 if math.isnan(report.top1) else report.top1, report.epoch)).epoch


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """The parameters by weight decay: 1e-3 on the spatial linears, none on the masks, 1e-4 on all others."""
    decays: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decay = WEIGHT_DECAY
        if name.endswith("Linear_weight"):
            decay = SPATIAL_WEIGHT_DECAY
        elif name.endswith("Feature_Mask"):
            decay = 0.0
        decays.setdefault(decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in decays.items()]


def learning_rate(settings: BackboneSettings, progress: float) -> float:
    """The learning rate when `progress` (0 ... 1) of the training is done."""
    if settings.schedule == "steps":
        return settings.learning_rate * 0.1 ** sum(progress >= share - 1e-9 for share in STEP_SHARES)
    if progress < WARM_UP_SHARE:
        return settings.learning_rate * (0.04 + 0.96 * progress / WARM_UP_SHARE)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP_SHARE) / (1 - WARM_UP_SHARE)))


def _train_epoch(
    trained: nn.Module,
    optimiser: Any,
    accelerator: Accelerator,
    clips: TrainingClips,
    settings: BackboneSettings,
    key: tuple[int, int],
    steps: int,
) -> tuple[float, float]:
    """One pass over the clips. Returns the mean loss and the top-1 accuracy in percent."""
    trained.train()
    order = np.random.default_rng(key).permutation(len(clips.fit))
    lossfunction = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    totals = torch.zeros(3, device=accelerator.device)
    for step, batch in enumerate(np.array_split(order, steps)):
        mine = batch[accelerator.process_index :: accelerator.num_processes]
        x = torch.from_numpy(clips.load_batch(clips.fit[mine])).to(accelerator.device)
        target = torch.from_numpy(clips.fit_class[mine]).to(accelerator.device)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, (key[1] + step / steps) / settings.epochs)
        with accelerator.autocast():
            logits = trained(x)
            loss = lossfunction(logits, target)
        accelerator.backward(loss)
        if settings.offset_gradient == "normalised":
            normalise_offset_gradients(accelerator.unwrap_model(trained))
        optimiser.step()
        optimiser.zero_grad()
        hits = (logits.detach().argmax(1) == target).sum()
        totals += torch.stack((loss.detach() * len(mine), hits, torch.tensor(len(mine), device=hits.device)))
    loss_sum, hits_sum, count = accelerator.reduce(totals, "sum").tolist()
    return loss_sum / count, 100 * hits_sum / count


def normalise_offset_gradients(network: nn.Module) -> None:
    """Replace the gradient of every temporal offset by its sign times 0.01, and by 0.0001 where it is zero."""
    for name, parameter in network.named_parameters():
        if name.endswith("ypos") and parameter.grad is not None:
            step = parameter.grad.sign() * OFFSET_STEP
            parameter.grad = torch.where(step == 0, OFFSET_STEP_AT_ZERO, step)


def held_out_accuracy(
    network: ShiftGCN, clips: TrainingClips, batch_size: int
) -> tuple[float, float, tuple[float, ...]]:
    """Top-1, top-5 and top-1 by class on the held-out clips, in percent; NaN where there is none."""
    if len(clips.held_out) == 0:
        return math.nan, math.nan, (math.nan,) * clips.num_classes
    _, logits = clip_features(network, clips.held_out, clips.load_batch, batch_size)
    ranked = (-logits).argsort(1, kind="stable")[:, :5] == clips.held_out_class[:, None]
    hits = ranked[:, 0]
    per_class = tuple(
        100 * float(hits[clips.held_out_class == number].mean()) if (clips.held_out_class == number).any() else math.nan
        for number in range(clips.num_classes)
    )
    return 100 * float(hits.mean()), 100 * float(ranked.any(1).mean()), per_class


def _momentum(network: ShiftGCN, optimiser: Any) -> dict[str, Tensor]:
    return {
        name: optimiser.state[parameter]["momentum_buffer"].clone().cpu()
        for name, parameter in network.named_parameters()
        if "momentum_buffer" in optimiser.state[parameter]
    }


def _restore(network: ShiftGCN, optimiser: Any, state: TrainingState) -> None:
    network.load_state_dict(state.weights)
    for name, parameter in network.named_parameters():
        if name in state.momentum:
            optimiser.state[parameter]["momentum_buffer"] = state.momentum[name].to(parameter.device)
