"""The temporal shift of Shift-GCN: every channel is moved in time by its own learnt offset y.

    out[..., t] = (1 - a) x[..., s t + f] + a x[..., s t + f + 1],   f = floor(y), a = y - f, s the stride

Frames outside [0, T) count as zero. For one channel this is a convolution over time with two taps that are not zero.
So one depthwise convolution shifts all channels, on any device, and it can be differentiated in x and in y.
Source: Shift-GCN (CVPR 2020). At stride 2 its released code adds half a frame to y; so do we.
Letters: V joints, C channels, N bodies, T frames, K taps.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE_2_OFFSET_FRAMES = 0.5


def temporal_shift(x: Tensor, offset_frames: Tensor, stride: int = 1) -> Tensor:
    """Shift `x` (V, C, N, T) by `offset_frames` (C,), any real numbers, and keep every `stride`-th frame.

    Returns (V, C, N, T // stride), differentiable in both. At a whole offset, the gradient of the offset is that of
    the interpolation with the later frame.
    """
    frames = x.shape[-1]
    reach = min(_reach(offset_frames), frames)
    weights = hat_taps(offset_frames, reach).to(x.dtype)[:, None, None, :]  # (C, 1, 1, K)
    channels = len(offset_frames)
    shifted = functional.conv2d(x, weights, stride=(1, stride), padding=(0, reach), groups=channels)
    return shifted[..., : frames // stride]


def hat_taps(offset_frames: Tensor, reach: int) -> Tensor:
    """The taps at -reach ... reach that interpolate at `offset_frames`: (C,) -> (C, 2 reach + 1)."""
    taps = torch.arange(-reach, reach + 1, device=offset_frames.device)
    earlier = offset_frames.detach().floor()[:, None]
    share = offset_frames[:, None] - earlier
    return (taps == earlier) * (1 - share) + (taps == earlier + 1) * share


def _reach(offset_frames: Tensor) -> int:
    """The distance of the furthest tap that any channel reads, earlier or later."""
    low, high = offset_frames.detach().nan_to_num(0, 0, 0).aminmax()  # an offset that is NaN gives taps that are NaN
    return max(-math.floor(low.item()), math.floor(high.item()) + 1, 1)


class TemporalShift(nn.Module):
    """A temporal shift with a learnt offset for each channel. Offsets start uniform in [-1, 1] frames."""

    def __init__(self, channels: int, stride: int, generator: torch.Generator) -> None:
        super().__init__()
        self.stride = stride
        self.ypos = nn.Parameter(torch.rand(channels, generator=generator) * 2 - 1)

    @property
    def offset_frames(self) -> Tensor:
        """The offset of each channel, (C,), with the half frame of stride 2."""
        return self.ypos if self.stride == 1 else self.ypos + STRIDE_2_OFFSET_FRAMES

    def forward(self, x: Tensor) -> Tensor:
        """(V, C, N, T) -> (V, C, N, T // stride)."""
        return temporal_shift(x, self.offset_frames, self.stride)
