"""Batch normalisation over bodies, one of which may stand for several equal ones.

In a batch of clips with one body each, all empty second bodies are equal at every layer. Only one of them is computed.
It counts as often as there are empty bodies, so that statistics and gradients are those of the full batch. Body n
counts w_n times:

    mean = sum_n w_n sum_t x / W,  var = sum_n w_n sum_t (x - mean)^2 / W,  W = T sum_n w_n

The gradient that comes back for a body is already the sum over all bodies that it stands for.
Letters: V joints, C channels, N bodies, T frames.
"""

from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.1
EPSILON = 1e-5


class BodyBatchNorm(nn.Module):
    """Normalise (V, C, N, T) per channel, or per joint and channel. The state has the names of torch's BatchNorm."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, joints: int = 0) -> None:
        """With `joints` = 0 there are statistics for each channel, (C,), otherwise for each joint and channel, (V C,).

        As in torch, running statistics start from mean 0 and variance 1, and every batch replaces a tenth of them. With
        `mean_of_first_batches` they start as means of the first ten batches instead, which matters to short trainings.
        """
        super().__init__()
        self.shape = (joints or 1, channels, 1, 1)
        self.mean_of_first_batches = False
        size = channels * (joints or 1)
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(V, C, N, T) -> same shape. `weights` (N,) says how many bodies each one stands for."""
        if not self.training:
            scale, shift = self.scale_and_shift()
            return torch.addcmul(shift.view(self.shape), x, scale.view(self.shape))
        gamma, beta = self.weight.view(self.shape), self.bias.view(self.shape)
        y, mean, var, count = _BatchNorm.apply(x, gamma, beta, weights)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = mean.new_tensor(MOMENTUM)
            if self.mean_of_first_batches:
                share = (1 / self.num_batches_tracked).clamp(min=MOMENTUM).to(mean.dtype)
            self.running_mean.lerp_(mean.flatten(), share)
            self.running_var.lerp_(var.flatten() * count / (count - 1).clamp(min=1), share)
        return y  # type: ignore[no-any-return]

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """The normalisation in evaluation, as y = scale x + shift. Both have the size of the state."""
        scale = self.weight * (self.running_var + EPSILON).rsqrt()
        return scale, self.bias - self.running_mean * scale


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision is too coarse for statistics
        count = weights.sum() * (x.shape[3] * x.shape[0] // gamma.shape[0])
        mean = _total(x.sum(3), gamma, weights) / count
        centred = x - mean
        var = _total(torch.linalg.vector_norm(centred, dim=3).square_(), gamma, weights) / count
        scale = (var + EPSILON).rsqrt()
        ctx.save_for_backward(centred, scale, gamma, weights, count)
        ctx.mark_non_differentiable(mean, var, count)
        return torch.addcmul(beta, centred, scale * gamma), mean, var, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        centred, scale, gamma, weights, count = ctx.saved_tensors
        gradient = gradients[0]
        ones = torch.ones_like(weights)
        total = _total(gradient.sum(3), gamma, ones)
        along = _total((gradient * centred).sum(3), gamma, ones) * scale
        share = weights.view(1, 1, -1, 1) / count
        x_gradient = gradient - share * total
        x_gradient.addcmul_(centred, share * (-along * scale)).mul_(scale * gamma)
        return x_gradient, along, total, None


def _total(rows: Tensor, like: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of (V, C, N) over the bodies, and over the joints as well where `like` is (1, C, 1, 1)."""
    summed = (rows * weights).sum(2)
    if like.shape[0] == 1:
        summed = summed.sum(0, keepdim=True)
    return summed[..., None, None]
