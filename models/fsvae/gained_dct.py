"""The frequency module in training: gains on DCT coefficients of rows that are picked from a table, again and again.

    enhanced = IDCT(gain * DCT(x)),    dL/dgain_i = sum over rows of DCT(dL/denhanced)_i * DCT(x)_i

The DCT of the table is taken once. The inverse is an FFT (models/fsvae/frequency.py) of a spectrum that holds, at
frequency k of D features, the coefficients c_k and c_(D-k) of the enhanced features:

    (c_k - i c_(D-k)) t_k,    t the inverse twiddles, c_D = 0

The table keeps the coefficients in that order, so that a gain is a product in place, and so does the gradient's DCT.
Letters: N rows of the table, B rows that are picked, D features, K = D // 2 + 1 frequencies.
"""

import torch
from torch import Tensor

from models.fsvae.frequency import dct, fold, twiddles


class GainedDCT:
    """Gains between two transforms, for rows of one table (N, D)."""

    def __init__(self, table: Tensor) -> None:
        size, frequencies, device = table.shape[1], table.shape[1] // 2 + 1, table.device
        self._size = size
        self._twiddle, self._untwiddle = twiddles(size, device)
        self._order, self._unfolded = fold(size, device)
        k = torch.arange(frequencies, device=device)
        self._pairs = torch.stack((k, (size - k) % size), dim=1).flatten()  # (2 K,): 0, 0, 1, D - 1, 2, D - 2 ...
        signs = torch.tensor([1.0, -1.0], device=device).repeat(frequencies)
        signs[1] = 0  # there is no coefficient D
        self._coefficients = dct(table)[:, self._pairs] * signs  # (N, 2 K)
        i = torch.arange(size, device=device)
        self._place = torch.where(i < frequencies, 2 * i, 2 * (size - i) + 1)  # (D,) of each coefficient in the pairs
        self._picked = self._coefficients[:0]

    def forward(self, index: Tensor, gains: Tensor) -> Tensor:
        """Rows (B,) of the table and gains (D,) -> (B, D) enhanced features."""
        self._picked = self._coefficients.index_select(0, index)  # (B, 2 K)
        gained = self._picked * gains.index_select(0, self._pairs)
        spectrum = torch.view_as_complex(gained.view(len(index), -1, 2)).mul_(self._untwiddle)  # (B, K)
        folded: Tensor = torch.fft.irfft(spectrum, n=self._size)
        return folded.index_select(1, self._unfolded)  # (B, D)

    def backward(self, gradient: Tensor) -> Tensor:
        """From the gradient of what `forward` gave, (B, D), that of the gains, (D,)."""
        spectrum = torch.fft.rfft(gradient.index_select(1, self._order)).mul_(self._twiddle)  # (B, K)
        products = torch.view_as_real(spectrum).flatten(1).mul_(self._picked)  # (B, 2 K)
        return products.sum(dim=0).index_select(0, self._place)
