"""What the optimiser of a Shift-GCN is told: weight decay by parameter, learning rate by epoch, the offsets' gradient.

Source: Shift-GCN (CVPR 2020) and its released code; the one-cycle schedule, for few epochs, is ours.
"""

import math
from typing import Any

import torch
from torch import nn

from models.backbone.settings import BackboneSettings

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
SPATIAL_WEIGHT_DECAY = 1e-3
STEP_SHARES = (60 / 140, 80 / 140, 100 / 140)  # of all epochs; the published steps
STEP_FACTOR = 0.1
WARM_UP_SHARE = 0.2
WARM_UP_FROM = 0.04  # of the highest learning rate
OFFSET_STEP = 0.01
OFFSET_STEP_AT_ZERO = 1e-4


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
        steps = sum(progress + 1e-9 >= share for share in STEP_SHARES)
        return settings.learning_rate * STEP_FACTOR**steps
    if progress < WARM_UP_SHARE:
        return settings.learning_rate * (WARM_UP_FROM + (1 - WARM_UP_FROM) * progress / WARM_UP_SHARE)
    falling = (progress - WARM_UP_SHARE) / (1 - WARM_UP_SHARE)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


def normalise_offset_gradients(network: nn.Module) -> None:
    """Replace the gradient of every temporal offset by its sign times 0.01, and by 0.0001 where it is zero."""
    for name, parameter in network.named_parameters():
        if name.endswith("ypos") and parameter.grad is not None:
            step = parameter.grad.sign() * OFFSET_STEP
            parameter.grad = torch.where(step == 0, OFFSET_STEP_AT_ZERO, step)
