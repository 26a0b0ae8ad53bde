"""Shift-GCN (CVPR 2020), joint stream: a clip of skeletons -> a feature of 256 numbers -> logits.

The network is ten units, each a spatial and a temporal shift convolution (models/shift_gcn/layers.py). In a batch of
clips with one body, all empty second bodies are equal at every layer. So one of them is computed, and counts as many
times as it stands for. N is the number of bodies that are computed: all first bodies, the second bodies that are not
empty, and one empty body where there is any.
Letters: B clips, N bodies, M = 2 bodies a clip, T frames, V = 25 joints, C channels.
"""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from data.random_streams import REPLACED_WEIGHTS
from models.backbone.protocol import BODIES, COORDINATES, JOINTS, Backbone
from models.backbone.settings import BackboneSettings
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.cpu_features import CPUFeatures
from models.shift_gcn.layers import ShiftUnit
from models.shift_gcn.plain import PlainShiftGCN
from models.shift_gcn.published import without_constants
from models.shift_gcn.recipe import normalise_offset_gradients, parameter_groups
from models.torch_generators import torch_generator

FEATURES = 256
# (channels in, channels out, stride, residual)
UNITS = (
    (3, 64, 1, False),
    (64, 64, 1, True),
    (64, 64, 1, True),
    (64, 64, 1, True),
    (64, 128, 2, True),
    (128, 128, 1, True),
    (128, 128, 1, True),
    (128, 256, 2, True),
    (256, 256, 1, True),
    (256, 256, 1, True),
)  # two units halve the frames, so a clip needs 4 of them


class ShiftGCN(Backbone):
    """The network. `forward` gives logits, `features` gives the input of the classifier."""

    title = "Shift-GCN"

    def __init__(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        """Draw the first weights from `generator`. Leave it out when other weights replace them afterwards."""
        super().__init__()
        generator = generator or torch_generator(REPLACED_WEIGHTS.torch_seed())
        self.data_bn = BodyBatchNorm(COORDINATES, BODIES * JOINTS)
        for number, (channels_in, channels_out, stride, residual) in enumerate(UNITS, start=1):
            setattr(self, f"l{number}", ShiftUnit(channels_in, channels_out, stride, residual, generator))
        self.fc = nn.Linear(FEATURES, num_classes)
        nn.init.normal_(self.fc.weight, 0, math.sqrt(2 / num_classes), generator=generator)
        nn.init.zeros_(self.fc.bias)

    @classmethod
    def build(cls, num_classes: int, settings: BackboneSettings, generator: torch.Generator) -> Self:
        """Make a new network. With the one-cycle schedule, for few epochs, running statistics start as means."""
        network = cls(num_classes, generator)
        for module in network.modules():
            if isinstance(module, BodyBatchNorm):
                module.mean_of_first_batches = settings.schedule == "one-cycle"
        return network

    @property
    def units(self) -> list[ShiftUnit]:
        """The ten units, in order."""
        return [getattr(self, f"l{number}") for number in range(1, len(UNITS) + 1)]

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, M), M 1 or 2 -> (B, 256), the mean over frames, joints and both bodies."""
        x, weights, second = self.bodies(clips)  # (V, 3, N, T)
        for unit in self.units:
            x = unit(x, weights)  # (V, C, N, T')
        body_features = x.mean((0, 3)).T  # (N, C)
        return (body_features[: len(clips)] + body_features[second]) / 2

    def bodies(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise clips (B, 3, T, 25, M) and lay them out as N bodies.

        Returns the bodies (V, 3, N, T); how many bodies each of them stands for, (N,); and for each clip where its
        second body is among the N, (B,). First bodies come first. The empty body is the last one, if there is any.
        """
        if clips.shape[4] == 1:
            clips = torch.cat((clips, torch.zeros_like(clips)), dim=4)
        batch = len(clips)
        absent = (clips[..., 1] == 0).flatten(1).all(1)  # (B,)
        present, empty = (~absent).nonzero()[:, 0], absent.nonzero()[:1, 0]
        x = clips.permute(4, 3, 1, 0, 2).flatten(0, 1)  # (M V, C, B, T)
        one, other = self.data_bn(x, clips.new_ones(batch)).chunk(BODIES)
        x = torch.cat((one, other[:, :, present], other[:, :, empty]), dim=2)  # (V, C, N, T)
        second = torch.full((batch,), batch + len(present), device=clips.device)
        second[present] = batch + torch.arange(len(present), device=clips.device)
        weights = clips.new_ones(x.shape[2])
        weights[batch + len(present) :] = absent.sum()
        return x, weights, second

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The parameters by their weight decay, as published."""
        return parameter_groups(self)

    def after_backward(self, settings: BackboneSettings) -> None:
        """Normalise the gradients of the temporal offsets, unless the settings ask for plain ones."""
        if settings.offset_gradient == "normalised":
            normalise_offset_gradients(self)

    def cpu_features(self, executor: Executor) -> Callable[[Tensor], Tensor]:
        """Features body by body, from a folded network: the same numbers in less time."""
        return CPUFeatures(self, executor).features

    def plain(self) -> nn.Module:
        """The network for the ONNX export."""
        return PlainShiftGCN(self)

    @classmethod
    def state_from_file(cls, path: Path, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """`tensors` without the constants that published checkpoints hold. Raises ModelError when those differ."""
        return without_constants(path, tensors)
