"""The frequency enhanced module: learnt gains on the DCT coefficients of a feature.

    enhanced = IDCT(gain * DCT(x)),    gain_i = 1 + strength * weight[band(i)] * slope_i

The transform is the orthonormal DCT-II over the feature axis. It is linear, and its transpose is its inverse. Low
coefficients have a slope > 0 (they are raised), high ones a slope < 0 (they are damped). `strength` and `weight` are
learnt. There are two forms:

paper     A coefficient is low when i <= cutoff. slope = 1 - i / (cutoff + 1) when low, else
          -(i - cutoff) / (D - cutoff). So the gain falls from the first coefficient to the last. The paper gives low
          and high gains, learnt band weights and a dependence on i; the straight line is ours.
released  Band edges are the integer parts of linspace(0, D - 1, bands + 1). A band b is low when it ends at or before
          the cutoff. slope = 1 - b / bands when low, else -(2 - b / bands). The last coefficient keeps gain 1.

Letters: N rows, D features.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.fsvae.settings import FrequencySettings


def dct(rows: Tensor) -> Tensor:
    """Orthonormal DCT-II of the last axis, (..., D) -> (..., D). Differentiable. Computed by FFT (Makhoul 1980)."""
    return _Transform.apply(rows, False)  # type: ignore[no-any-return, no-untyped-call]


def inverse_dct(coefficients: Tensor) -> Tensor:
    """The inverse of `dct`, (..., D) -> (..., D). Differentiable."""
    return _Transform.apply(coefficients, True)  # type: ignore[no-any-return, no-untyped-call]


class _Transform(torch.autograd.Function):
    """The DCT, or its inverse. Backward is the other of the two: the transpose of an orthonormal transform."""

    @staticmethod
    def forward(rows: Tensor, inverse: bool) -> Tensor:
        return _inverse_dct(rows) if inverse else _dct(rows)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor, bool], output: Tensor) -> None:
        _, context.inverse = inputs

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return (_dct if context.inverse else _inverse_dct)(gradients[0]), None

    @staticmethod
    def vmap(info: Any, axes: tuple[int, None], rows: Tensor, inverse: bool) -> tuple[Tensor, int]:
        """For torch.vmap, which asks for rows of several members at once: they are more rows."""
        return _Transform.apply(rows.movedim(axes[0], 0), inverse), 0  # type: ignore[no-untyped-call]


@lru_cache(maxsize=8)
def twiddles(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """exp(-i pi k / 2D) times the orthonormal scale for k = 0 ... D // 2, and its inverse. (D // 2 + 1,) each."""
    k = torch.arange(size // 2 + 1, dtype=torch.float64)
    scale = torch.full_like(k, (2 / size) ** 0.5)
    scale[0] = (1 / size) ** 0.5
    twiddle = scale * torch.exp(-0.5j * torch.pi * k / size)
    return twiddle.to(device, torch.complex64), (1 / twiddle).to(device, torch.complex64)


@lru_cache(maxsize=8)
def fold(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The order of Makhoul's FFT (even places rising, then odd places falling), and its inverse. (D,) each."""
    order = torch.cat((torch.arange(0, size, 2), torch.arange(1, size, 2).flip(0))).to(device)
    return order, order.argsort()


def _dct(rows: Tensor) -> Tensor:
    size = rows.shape[-1]
    order, _ = fold(size, rows.device)
    spectrum = torch.fft.rfft(rows.index_select(-1, order)) * twiddles(size, rows.device)[0]  # (..., D // 2 + 1)
    return torch.cat((spectrum.real, -spectrum.imag[..., 1 : (size + 1) // 2].flip(-1)), dim=-1)  # (..., D)


def _inverse_dct(coefficients: Tensor) -> Tensor:
    size, half = coefficients.shape[-1], coefficients.shape[-1] // 2
    spectrum = coefficients.new_zeros((*coefficients.shape[:-1], half + 1), dtype=torch.complex64)
    spectrum.real = coefficients[..., : half + 1]
    spectrum.imag[..., 1:] = -coefficients[..., size - half :].flip(-1)
    spectrum *= twiddles(size, coefficients.device)[1]
    folded: Tensor = torch.fft.irfft(spectrum, n=size)
    return folded.index_select(-1, fold(size, coefficients.device)[1])  # (..., D)


def bands_and_slopes(size: int, settings: FrequencySettings) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The band and the slope of each of D = `size` coefficients, as in the docstring of this file. (D,) each."""
    coefficient = np.arange(size)
    if settings.form == "released":
        edges = np.linspace(0, size - 1, settings.bands + 1).astype(np.int64)
        band = np.clip(np.searchsorted(edges, coefficient, side="right") - 1, 0, settings.bands - 1)
        low = edges[band + 1] <= settings.cutoff
        slope = np.where(low, 1 - band / settings.bands, band / settings.bands - 2)
        slope[-1] = 0
    else:
        band = coefficient * settings.bands // size
        low = coefficient <= settings.cutoff
        falling = 1 - coefficient / (settings.cutoff + 1)
        slope = np.where(low, falling, (settings.cutoff - coefficient) / max(1, size - settings.cutoff))
    if not settings.position:
        slope = np.sign(slope)
    return band, slope


class FrequencyModule(nn.Module):
    """Learnt gains on the DCT coefficients of features (..., D), as in the docstring of this file."""

    band: Tensor
    slope: Tensor

    def __init__(self, size: int, settings: FrequencySettings) -> None:
        super().__init__()
        band, slope = bands_and_slopes(size, settings)
        self.register_buffer("band", torch.from_numpy(band), persistent=False)
        self.register_buffer("slope", torch.from_numpy(slope).float(), persistent=False)
        self.weight = nn.Parameter(torch.ones(settings.bands))
        self.strength = nn.Parameter(torch.tensor(settings.strength))

    def gains(self) -> Tensor:
        """The gain of each coefficient, (D,)."""
        return 1 + self.strength * self.weight.index_select(0, self.band) * self.slope

    def forward(self, rows: Tensor) -> Tensor:
        """(..., D) features -> (..., D) enhanced features."""
        return inverse_dct(dct(rows) * self.gains())
