"""Shift-GCN (CVPR 2020), joint stream: a clip of skeletons -> a 256-d feature -> logits.

Ten units of a spatial and a temporal shift convolution. Inside the network, activations are laid out joint first and
time last, (V, C, N, T): a spatial shift is then a permutation of whole rows, the spatial linear one matrix product a
joint (its mask folded in), and the temporal shift a convolution along rows. The names of parameters are those of the
published checkpoints. N counts bodies: those that are there in B clips, and one that stands for all empty second ones.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from data.random_streams import REPLACED_WEIGHTS
from models.generators import torch_generator
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.temporal_shift import TemporalShift

JOINTS = 25
BODIES = 2
COORDINATES = 3
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
)
MIN_FRAMES = 4  # two units halve the frames


class ShiftGCN(nn.Module):
    """The network. `forward` gives logits, `features` what stands before the classifier."""

    def __init__(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        """Draw the first weights from `generator`; without one, for a network that is given other weights."""
        super().__init__()
        generator = generator or torch_generator(REPLACED_WEIGHTS.torch_seed())
        self.data_bn = BodyBatchNorm(COORDINATES, BODIES * JOINTS)
        for number, (channels_in, channels_out, stride, residual) in enumerate(UNITS, start=1):
            setattr(self, f"l{number}", ShiftUnit(channels_in, channels_out, stride, residual, generator))
        self.fc = nn.Linear(FEATURES, num_classes)
        nn.init.normal_(self.fc.weight, 0, math.sqrt(2 / num_classes), generator=generator)
        nn.init.zeros_(self.fc.bias)

    @property
    def units(self) -> list["ShiftUnit"]:
        """The ten units, in order."""
        return [getattr(self, f"l{number}") for number in range(1, len(UNITS) + 1)]

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, M), M 1 or 2, T at least 4 -> logits (B, classes)."""
        return self.fc(self.features(clips))  # type: ignore[no-any-return]

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, M) -> (B, 256), the mean over frames, joints and both bodies."""
        x, weights, second = self.bodies(clips)  # (V, 3, N, T)
        for unit in self.units:
            x = unit(x, weights)  # (V, C, N, T')
        body_features = x.mean((0, 3)).T  # (N, C)
        return (body_features[: len(clips)] + body_features[second]) / 2

    def bodies(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise clips (B, 3, T, 25, M) and lay them out as N bodies.

        Returns the bodies (V, 3, N, T), how many bodies each of them stands for (N,), and for each clip the place of
        its second body among the N (B,). First bodies come first; the last may be the empty one.
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


class ShiftUnit(nn.Module):
    """relu(temporal(spatial(x)) + residual(x))."""

    def __init__(
        self, channels_in: int, channels_out: int, stride: int, residual: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.stride = stride
        self.has_residual = residual
        self.gcn1 = SpatialShiftConv(channels_in, channels_out, generator)
        self.tcn1 = TemporalShiftConv(channels_out, stride, generator)
        self.residual: ResidualConv | None = None
        if residual and (channels_in != channels_out or stride != 1):
            self.residual = ResidualConv(channels_in, channels_out, stride, generator)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, D, N, T // stride)."""
        y = self.tcn1(self.gcn1(x, weights), weights)
        if self.residual is not None:
            y = y + self.residual(x, weights)
        elif self.has_residual:
            y = y + x
        return torch.relu(y)


class SpatialShiftConv(nn.Module):
    """Mix neighbouring joints by moving channel c by c joints, around a linear that all joints share."""

    rows_in: Tensor
    rows_in_back: Tensor
    rows_out: Tensor
    rows_out_back: Tensor

    def __init__(self, channels_in: int, channels_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.Linear_weight = nn.Parameter(
            torch.randn(channels_in, channels_out, generator=generator) / math.sqrt(channels_out)
        )
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, channels_out))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, JOINTS, channels_in))
        self.bn = BodyBatchNorm(channels_out, JOINTS)
        self.down: DownConv | None = None
        if channels_in != channels_out:
            self.down = DownConv(channels_in, channels_out, generator)
        for name, rows in (("rows_in", shift_rows(channels_in)), ("rows_out", shift_rows(channels_out).argsort())):
            self.register_buffer(name, rows, persistent=False)
            self.register_buffer(f"{name}_back", rows.argsort(), persistent=False)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, D, N, T)."""
        y = _PermuteRows.apply(x, self.rows_in, self.rows_in_back)  # type: ignore[no-untyped-call]
        y = torch.baddbmm(self.Linear_bias.view(1, -1, 1), self.joint_weights(), y.flatten(2))  # (V, D, N T)
        y = _PermuteRows.apply(y.view(*y.shape[:2], *x.shape[2:]), self.rows_out, self.rows_out_back)  # type: ignore[no-untyped-call]
        y = self.bn(y, weights)
        if self.down is None:
            return torch.relu(y + x)
        return torch.relu(y + self.down.norm(self.down.convolution(x), weights))

    def joint_weights(self) -> Tensor:
        """The linear with the mask folded in: (V, D, C)."""
        return (self.Linear_weight * (torch.tanh(self.Feature_Mask[0]) + 1)[:, :, None]).transpose(1, 2)


class TemporalShiftConv(nn.Module):
    """A pointwise convolution between two temporal shifts; the second one has the unit's stride."""

    def __init__(self, channels: int, stride: int, generator: torch.Generator) -> None:
        super().__init__()
        self.bn = BodyBatchNorm(channels)
        self.shift_in = TemporalShift(channels, 1, generator)
        self.temporal_linear = PointwiseConv(channels, channels, generator)
        self.shift_out = TemporalShift(channels, stride, generator)
        self.bn2 = BodyBatchNorm(channels)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, C, N, T // stride)."""
        x = torch.relu(self.temporal_linear(self.shift_in(self.bn(x, weights))))
        return self.bn2(self.shift_out(x), weights)  # type: ignore[no-any-return]


class PointwiseConv(nn.Module):
    """A 1x1 convolution on (V, C, N, T), with the parameters of torch's Conv2d."""

    def __init__(self, channels_in: int, channels_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(channels_out, channels_in, 1, 1, generator=generator) * math.sqrt(2 / channels_out)
        )
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, D, N, T)."""
        weight = self.weight[:, :, 0, 0].expand(len(x), -1, -1)  # (V, D, C)
        return torch.baddbmm(self.bias[None, :, None], weight, x.flatten(2)).view(len(x), -1, *x.shape[2:])


class DownConv(nn.Sequential):
    """A pointwise convolution and a batch norm, named by number as in the published files."""

    def __init__(self, channels_in: int, channels_out: int, generator: torch.Generator) -> None:
        super().__init__(PointwiseConv(channels_in, channels_out, generator), BodyBatchNorm(channels_out))

    @property
    def convolution(self) -> PointwiseConv:
        """The convolution."""
        return cast(PointwiseConv, self[0])

    @property
    def norm(self) -> BodyBatchNorm:
        """The batch norm behind it."""
        return cast(BodyBatchNorm, self[1])


class ResidualConv(nn.Module):
    """The residual of a unit that changes the number of channels: a pointwise convolution of every stride-th frame."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, generator: torch.Generator) -> None:
        super().__init__()
        self.stride = stride
        self.conv = PointwiseConv(channels_in, channels_out, generator)
        self.bn = BodyBatchNorm(channels_out)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, D, N, T // stride)."""
        frames = x.shape[3] // self.stride * self.stride
        return self.bn(self.conv(x[..., : frames : self.stride].contiguous()), weights)  # type: ignore[no-any-return]


class _PermuteRows(torch.autograd.Function):
    """Permute the rows (v, c) of (V, C, N, T); the gradient is permuted back, where indexing would add it up."""

    @staticmethod
    def forward(ctx: "torch.autograd.function.FunctionCtx", x: Tensor, rows: Tensor, rows_back: Tensor) -> Tensor:
        ctx.save_for_backward(rows_back)
        return x.flatten(0, 1).index_select(0, rows).view_as(x)

    @staticmethod
    def backward(ctx: "torch.autograd.function.BackwardCFunction", *gradients: Tensor) -> tuple[Tensor, None, None]:
        (rows_back,) = ctx.saved_tensors
        return gradients[0].flatten(0, 1).index_select(0, rows_back).view_as(gradients[0]), None, None


def shift_rows(channels: int) -> Tensor:
    """Where the inward spatial shift takes row (v, c) from: joint v + c (mod 25) of channel c, as v * C + c; (25 C,).

    Its inverse is the outward shift.
    """
    rows = torch.arange(JOINTS * channels)
    return (rows + rows % channels * channels) % (JOINTS * channels)
