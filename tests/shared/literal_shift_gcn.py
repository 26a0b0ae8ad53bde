"""Shift-GCN as its description reads: one step after another, index by index, channel by channel.

It is slow on purpose. The fast network must give the same results. Layout (N, C, T, V); parameters are named as in the
published files.
"""

import math

import torch
from torch import Tensor, nn

UNITS = [(3, 64, 1), *[(64, 64, 1)] * 3, (64, 128, 2), *[(128, 128, 1)] * 2, (128, 256, 2), *[(256, 256, 1)] * 2]
JOINTS = 25


class LiteralShift(nn.Module):
    """Reads each channel at frame t * stride + y, interpolated between two frames; outside the clip it is zero."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.xpos = nn.Parameter(torch.zeros(channels))
        self.ypos = nn.Parameter(torch.rand(channels) * 2 - 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[2]
        times = torch.arange(frames // self.stride) * self.stride
        shifted = []
        for channel, y in enumerate(self.ypos + (0.5 if self.stride == 2 else 0)):
            whole = math.floor(y.item())
            share = y - whole
            earlier, later = (self._frames(x[:, channel], times + whole + step) for step in (0, 1))
            shifted.append(earlier * (1 - share) + later * share)
        return torch.stack(shifted, dim=1)

    @staticmethod
    def _frames(x: Tensor, times: Tensor) -> Tensor:
        inside = (times >= 0) & (times < x.shape[1])
        frames: Tensor = x[:, times.clamp(0, x.shape[1] - 1)] * inside[:, None]
        return frames


class LiteralSpatial(nn.Module):
    """The spatial unit: index, mask, linear, index, batch norm, residual, ReLU."""

    shift_in: Tensor
    shift_out: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.Linear_weight = nn.Parameter(torch.randn(channels_in, channels_out) / math.sqrt(channels_out))
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, channels_out))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, JOINTS, channels_in))
        self.bn = nn.BatchNorm1d(JOINTS * channels_out)
        if channels_in != channels_out:
            self.down = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1), nn.BatchNorm2d(channels_out))
        for name, channels, sign in (("shift_in", channels_in, 1), ("shift_out", channels_out, -1)):
            index = [(i + sign * (i % channels) * channels) % (JOINTS * channels) for i in range(JOINTS * channels)]
            self.register_buffer(name, torch.tensor(index))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, joints = x.shape
        y = x.permute(0, 2, 3, 1).reshape(batch * frames, joints * channels)
        y = y[:, self.shift_in].view(batch * frames, joints, channels)
        y = y * (torch.tanh(self.Feature_Mask) + 1)
        y = y @ self.Linear_weight + self.Linear_bias
        y = self.bn(y.reshape(batch * frames, -1)[:, self.shift_out])
        y = y.view(batch, frames, joints, -1).permute(0, 3, 1, 2)
        return torch.relu(y + (self.down(x) if hasattr(self, "down") else x))


class LiteralTemporal(nn.Module):
    """The temporal unit: batch norm, shift, 1x1 convolution, ReLU, shift with stride, batch norm."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.shift_in = LiteralShift(channels, 1)
        self.temporal_linear = nn.Conv2d(channels, channels, 1)
        self.shift_out = LiteralShift(channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.shift_out(torch.relu(self.temporal_linear(self.shift_in(self.bn(x))))))  # type: ignore[no-any-return]


class LiteralResidual(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 1, stride=(stride, 1))
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))  # type: ignore[no-any-return]


class LiteralUnit(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int, first: bool) -> None:
        super().__init__()
        self.gcn1 = LiteralSpatial(channels_in, channels_out)
        self.tcn1 = LiteralTemporal(channels_out, stride)
        self.stride, self.first = stride, first
        if not first and channels_in != channels_out:
            self.residual = LiteralResidual(channels_in, channels_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tcn1(self.gcn1(x))
        if hasattr(self, "residual"):
            y = y + self.residual(x[:, :, : x.shape[2] // self.stride * self.stride])
        elif not self.first:
            y = y + x
        return torch.relu(y)


class LiteralShiftGCN(nn.Module):
    """The whole network. It computes every body, whether it is present or not."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(2 * JOINTS * 3)
        for number, unit in enumerate(UNITS, start=1):
            setattr(self, f"l{number}", LiteralUnit(*unit, first=number == 1))
        self.fc = nn.Linear(256, num_classes)

    def features(self, clips: Tensor) -> Tensor:
        batch, coordinates, frames, joints, bodies = clips.shape
        x = self.data_bn(clips.permute(0, 4, 3, 1, 2).reshape(batch, -1, frames))
        x = x.view(batch, bodies, joints, coordinates, frames).permute(0, 1, 3, 4, 2).flatten(0, 1)
        for number in range(1, len(UNITS) + 1):
            x = getattr(self, f"l{number}")(x)
        pooled: Tensor = x.mean((2, 3)).view(batch, bodies, -1).mean(1)
        return pooled

    def forward(self, clips: Tensor) -> Tensor:
        return self.fc(self.features(clips))  # type: ignore[no-any-return]
