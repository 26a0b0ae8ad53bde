"""The frequency module in training: gains on the DCT coefficients of features that are used in many steps.

    enhanced = IDCT(gains * DCT(x))

The DCT of all features is computed once. The inverse is an FFT (frequency.py) of a spectrum that holds, at frequency k
of D features, two coefficients:

    (c_k - i c_(D-k)) t_k,    t the inverse twiddles, c_D = 0

So the coefficients are stored as these pairs, c_k beside -c_(D-k): the inverse reads them without sorting. The class
_InversePairs is linear, so its backward is its transpose. The gains are an ordinary product.

Letters: N rows of features, B rows that are picked, D features, K = D // 2 + 1 frequencies.
"""

from typing import Any

import torch
from torch import Tensor

from models.fsvae.frequency import dct, fold, twiddles


class GainedDCT:
    """Applies gains to the DCT coefficients of rows of `features` (N, D)."""

    def __init__(self, features: Tensor) -> None:
        self._size, device = features.shape[1], features.device
        k = torch.arange(self._size // 2 + 1, device=device)
        self._coefficient = torch.stack((k, (self._size - k) % self._size), dim=1).flatten()  # 0, 0, 1, D - 1 ...
        signs = torch.tensor([1.0, -1.0], device=device).repeat(len(k))
        signs[1] = 0  # there is no coefficient D
        self._pairs = dct(features)[:, self._coefficient] * signs  # (N, 2 K)

    def rows(self, index: Tensor, gains: Tensor) -> Tensor:
        """The enhanced features of rows `index` (B,) under `gains` (D,), (B, D). Differentiable in the gains."""
        pairs = self._pairs.index_select(0, index) * gains.index_select(0, self._coefficient)  # (B, 2 K)
        enhanced: Tensor = _InversePairs.apply(pairs, self._size)  # type: ignore[no-untyped-call]
        return enhanced


class _InversePairs(torch.autograd.Function):
    """Pairs of coefficients (..., 2 K) -> features (..., D). Linear."""

    @staticmethod
    def forward(pairs: Tensor, size: int) -> Tensor:
        spectrum = (
            torch.view_as_complex(pairs.reshape(*pairs.shape[:-1], -1, 2)) * twiddles(size, pairs.device)[1]
        )  # (..., K)
        folded: Tensor = torch.fft.irfft(spectrum, n=size)
        return folded.index_select(-1, fold(size, pairs.device)[1])  # (..., D)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        _, context.size = inputs

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        size, (gradient,) = context.size, gradients
        spectrum = torch.fft.rfft(gradient.index_select(-1, fold(size, gradient.device)[0]))
        spectrum *= twiddles(size, gradient.device)[0]  # (..., K)
        pairs = torch.view_as_real(spectrum).flatten(-2)  # (..., 2 K)
        if size % 2 == 0:
            pairs[..., size:] /= 2  # the pair of k = D / 2 holds one coefficient twice
        return pairs, None

    @staticmethod
    def vmap(info: Any, axes: tuple[int, None], pairs: Tensor, size: int) -> tuple[Tensor, int]:
        """For torch.vmap, which asks for rows of several members at once: they are more rows."""
        return _InversePairs.apply(pairs.movedim(axes[0], 0), size), 0  # type: ignore[no-untyped-call]
