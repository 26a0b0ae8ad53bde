"""The parts of the published training recipe that are about parameters of a Shift-GCN.

Source: Shift-GCN (CVPR 2020) and its released code.
"""

from typing import Any

import torch
from torch import nn

from models.backbone.protocol import WEIGHT_DECAY

SPATIAL_WEIGHT_DECAY = 1e-3
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


def normalise_offset_gradients(network: nn.Module) -> None:
    """Replace the gradient of every temporal offset by its sign times 0.01, and by 0.0001 where it is zero."""
    for name, parameter in network.named_parameters():
        if name.endswith("ypos") and parameter.grad is not None:
            step = parameter.grad.sign() * OFFSET_STEP
            parameter.grad = torch.where(step == 0, OFFSET_STEP_AT_ZERO, step)
