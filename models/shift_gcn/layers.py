"""The layers of a Shift-GCN (CVPR 2020). Parameters have the names of the published checkpoints.

Activations are laid out with the joints first and time last, (V, C, N, T). In this layout a spatial shift moves whole
rows, the spatial linear is one matrix product for each joint, and a temporal shift is a convolution along rows.
Letters: N bodies, T frames, V = 25 joints, C and D channels in and out.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from models.backbone.protocol import JOINTS
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.temporal_shift import TemporalShift


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
    """A linear layer that all joints share, between two spatial shifts. A spatial shift moves channel c by c joints."""

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
        """The weights of the linear layer times the mask of each joint, (V, D, C)."""
        return (self.Linear_weight * (torch.tanh(self.Feature_Mask[0]) + 1)[:, :, None]).transpose(1, 2)


class TemporalShiftConv(nn.Module):
    """A pointwise convolution between two temporal shifts. The second shift has the stride of the unit."""

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
    """A pointwise convolution and a batch norm, which published files call 0 and 1."""

    def __init__(self, channels_in: int, channels_out: int, generator: torch.Generator) -> None:
        super().__init__(PointwiseConv(channels_in, channels_out, generator), BodyBatchNorm(channels_out))

    @property
    def convolution(self) -> PointwiseConv:
        """The convolution."""
        return cast(PointwiseConv, self[0])

    @property
    def norm(self) -> BodyBatchNorm:
        """The batch norm after it."""
        return cast(BodyBatchNorm, self[1])


class ResidualConv(nn.Module):
    """The residual of a unit with another number of channels: a pointwise convolution of every stride-th frame."""

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
    """Put the rows (v, c) of (V, C, N, T) in another order.

    No row is used twice, so the gradient only has to be put back in order. Autograd of indexing would add up instead,
    which is slower.
    """

    @staticmethod
    def forward(ctx: "torch.autograd.function.FunctionCtx", x: Tensor, rows: Tensor, rows_back: Tensor) -> Tensor:
        ctx.save_for_backward(rows_back)
        return x.flatten(0, 1).index_select(0, rows).view_as(x)

    @staticmethod
    def backward(ctx: "torch.autograd.function.BackwardCFunction", *gradients: Tensor) -> tuple[Tensor, None, None]:
        (rows_back,) = ctx.saved_tensors
        return gradients[0].flatten(0, 1).index_select(0, rows_back).view_as(gradients[0]), None, None


def shift_rows(channels: int) -> Tensor:
    """The inward spatial shift as row numbers, (25 C,): row v C + c is taken from joint v + c (mod 25) of channel c.

    The outward shift is the inverse, `shift_rows(channels).argsort()`.
    """
    rows = torch.arange(JOINTS * channels)
    return (rows + rows % channels * channels) % (JOINTS * channels)
