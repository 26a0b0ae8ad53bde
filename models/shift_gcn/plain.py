"""A trained Shift-GCN as plain layers with fixed weights, which the ONNX export can record.

The network itself skips absent second bodies, so that its steps depend on the numbers in a clip. This module computes
both bodies of every clip. Everything that does not depend on a clip is computed once, in advance: masks, shifts as
convolutions, and batch norms as a scale and a shift, folded into a neighbouring convolution where there is one.
Letters: B clips, M = 2 bodies, N = M B bodies, V = 25 joints, T frames, C and D channels in and out, K taps.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbone.protocol import BODIES, COORDINATES, JOINTS
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.layers import PointwiseConv, ShiftUnit, SpatialShiftConv
from models.shift_gcn.temporal_shift import TemporalShift, hat_taps

if TYPE_CHECKING:
    from models.shift_gcn.network import ShiftGCN


class PlainShiftGCN(nn.Module):
    """The features of clips, as `ShiftGCN.features` computes them in evaluation."""

    @torch.no_grad()
    def __init__(self, network: "ShiftGCN") -> None:
        super().__init__()
        self.norm = _Affine(network.data_bn, (BODIES, JOINTS, COORDINATES, 1, 1))
        self.units = nn.Sequential(*map(_Unit, network.units))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, 25, 2) -> (B, 256)."""
        bodies = self.norm(clips.permute(4, 3, 1, 0, 2))  # (M, V, 3, B, T)
        x = self.units(torch.cat((bodies[0], bodies[1]), dim=2))  # (V, C, N, T')
        first, second = x.mean((0, 3)).T.chunk(BODIES)  # (B, C) each
        return (first + second) / 2  # type: ignore[no-any-return]


class _Affine(nn.Module):
    """A batch norm in evaluation, as x * scale + shift."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: BodyBatchNorm, shape: tuple[int, ...]) -> None:
        super().__init__()
        for name, part in zip(("scale", "shift"), norm.scale_and_shift(), strict=True):
            self.register_buffer(name, part.view(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class _Conv(nn.Module):
    """A convolution over frames: (V, C, N, T) -> (V, D, N, T // stride). `reach` frames on either side count as zero.

    Frames at the end that do not fill a stride are left out. For this, the kernel ends with `stride` - 1 taps of zero.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: int = 1, reach: int = 0, norm: BodyBatchNorm | None = None
    ) -> None:
        """`weight` is (D, C, 1, K), or (D, 1, 1, K) with K > 1 for a depthwise convolution. `norm` comes after it."""
        super().__init__()
        if norm is not None:
            scale, shift = norm.scale_and_shift()
            weight = weight * scale.view(-1, 1, 1, 1)
            bias = shift if bias is None else bias * scale + shift
        self.groups = len(weight) if weight.shape[3] > 1 else 1
        self.stride, self.reach = stride, reach
        self.register_buffer("weight", functional.pad(weight, (0, stride - 1)).clone())
        self.register_buffer("bias", None if bias is None else bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight, self.bias, stride=(1, self.stride), padding=(0, self.reach), groups=self.groups
        )


def _pointwise(convolution: PointwiseConv, norm: BodyBatchNorm | None = None, stride: int = 1) -> _Conv:
    return _Conv(convolution.weight, convolution.bias, stride, norm=norm)


def _shift(shift: TemporalShift, norm: BodyBatchNorm | None = None) -> _Conv:
    """A temporal shift as a convolution with two non-zero taps for each channel."""
    offset = shift.offset_frames
    reach = max(-int(offset.floor().min()), int(offset.floor().max()) + 1, 1)
    return _Conv(hat_taps(offset, reach)[:, None, None, :], None, shift.stride, reach, norm)


class _Unit(nn.Module):
    """relu(temporal(spatial(x)) + residual(x)): (V, C, N, T) -> (V, D, N, T // stride)."""

    def __init__(self, unit: ShiftUnit) -> None:
        super().__init__()
        temporal = unit.tcn1
        self.spatial = _Spatial(unit.gcn1)
        self.norm = _Affine(temporal.bn, temporal.bn.shape)
        self.shift_in = _shift(temporal.shift_in)
        self.linear = _pointwise(temporal.temporal_linear)
        self.shift_out = _shift(temporal.shift_out, temporal.bn2)
        self.has_residual = unit.has_residual
        self.residual: nn.Module = nn.Identity()
        if unit.residual is not None:
            self.residual = _pointwise(unit.residual.conv, unit.residual.bn, unit.stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.linear(self.shift_in(self.norm(self.spatial(x)))))
        y = self.shift_out(y)
        return torch.relu(y + self.residual(x) if self.has_residual else y)


class _Spatial(nn.Module):
    """A spatial shift convolution: (V, C, N, T) -> (V, D, N, T)."""

    mask: Tensor
    rows_in: Tensor
    rows_out: Tensor

    def __init__(self, spatial: SpatialShiftConv) -> None:
        super().__init__()
        self.register_buffer("mask", (torch.tanh(spatial.Feature_Mask[0]) + 1)[:, :, None, None])  # (V, C, 1, 1)
        self.register_buffer("rows_in", spatial.rows_in)
        self.register_buffer("rows_out", spatial.rows_out)
        self.channels = spatial.Linear_weight.shape  # in and out
        self.linear = _Conv(spatial.Linear_weight.T[:, :, None, None], spatial.Linear_bias.view(-1))
        self.norm = _Affine(spatial.bn, spatial.bn.shape)
        self.residual: nn.Module = nn.Identity()
        if spatial.down is not None:
            self.residual = _pointwise(spatial.down.convolution, spatial.down.norm)

    def forward(self, x: Tensor) -> Tensor:
        channels_in, channels_out = self.channels
        y = self.linear(_moved(x, self.rows_in, channels_in) * self.mask)
        y = self.norm(_moved(y, self.rows_out, channels_out))
        return torch.relu(y + self.residual(x))


def _moved(x: Tensor, rows: Tensor, channels: int) -> Tensor:
    """The rows (v, c) of (V, C, N, T) in another order."""
    moved = x.flatten(0, 1).index_select(0, rows)  # (V C, N, T)
    return moved.unflatten(0, (JOINTS, channels))  # type: ignore[no-any-return, no-untyped-call]
