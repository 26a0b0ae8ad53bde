"""The frequency module in training: gains on DCT coefficients of rows that are picked from a table, again and again.

    enhanced = IDCT(gain * DCT(x)),    dL/dgain_i = sum over rows of DCT(dL/denhanced)_i * DCT(x)_i

What does not depend on the gains is worked out once for the whole table. Short features take one product with the DCT
matrix. For long ones the inverse is an FFT (models/frequency.py), whose spectrum is, at frequency k of D features,

    (gain_k c_k - i gain_(D-k) c_(D-k)) t_k = gain_k P_k + gain_(D-k) Q_k,    c = DCT(x), t the inverse twiddles

so that P and Q are kept, and the gradient of the gains is their product with the FFT of the folded gradient.
Letters: N rows of the table, B rows that are picked, D features, K = D // 2 + 1 frequencies.
"""

import torch
from torch import Tensor

from models.frequency import MATRIX_SIZE, dct, dct_matrix, fold, twiddles


class MatrixGains:
    """By products with the DCT matrix, (D, D)."""

    def __init__(self, table: Tensor) -> None:
        self._table = dct(table)  # (N, D)
        self._matrix = dct_matrix(table.shape[1], table.device)
        self._picked = self._table[:0]

    def forward(self, index: Tensor, gains: Tensor) -> Tensor:
        """Rows (B,) of the table and gains (D,) -> (B, D) enhanced features."""
        self._picked = self._table.index_select(0, index)  # (B, D)
        return (self._picked * gains) @ self._matrix

    def backward(self, gradient: Tensor) -> Tensor:
        """From the gradient of what `forward` gave, (B, D), that of the gains, (D,)."""
        found: Tensor = torch.linalg.vecdot(gradient @ self._matrix.T, self._picked, dim=0)
        return found


class SpectrumGains:
    """By FFT, with P and Q of the module's docstring."""

    def __init__(self, table: Tensor) -> None:
        size, half, device = table.shape[1], table.shape[1] // 2, table.device
        self._size = size
        twiddle, untwiddle = twiddles(size, device)
        self._order, self._unfolded = fold(size, device)
        self._squares = (twiddle * twiddle.conj()).real  # (K,)
        coefficients = dct(table)  # (N, D)
        mirrored = torch.zeros_like(coefficients[:, : half + 1])
        mirrored[:, 1:] = coefficients[:, size - half :].flip(1)
        self._p = coefficients[:, : half + 1] * untwiddle  # (N, K)
        self._q = -1j * mirrored * untwiddle  # (N, K)
        self._mirror = torch.arange(size, size - half - 1, -1, device=device) % size  # (K,): 0, D - 1, D - 2 ...
        self._picked = self._p[:0], self._q[:0]

    def forward(self, index: Tensor, gains: Tensor) -> Tensor:
        """As of MatrixGains."""
        p, q = self._picked = self._p.index_select(0, index), self._q.index_select(0, index)  # (B, K)
        spectrum = torch.addcmul(
            p * gains[: p.shape[1]].to(p.dtype), q, gains.index_select(0, self._mirror).to(q.dtype)
        )
        folded: Tensor = torch.fft.irfft(spectrum, n=self._size)
        return folded.index_select(1, self._unfolded)  # (B, D)

    def backward(self, gradient: Tensor) -> Tensor:
        """As of MatrixGains."""
        spectrum = torch.fft.rfft(gradient.index_select(1, self._order))  # (B, K)
        low, high = (
            torch.linalg.vecdot(_real(kept), _real(spectrum), dim=0).view(-1, 2).sum(dim=1) * self._squares
            for kept in self._picked
        )
        found = torch.empty(self._size, device=gradient.device)
        found[: len(low)] = low
        above = self._size - len(low)  # coefficients that only Q holds
        found[len(low) :] = high[1 : above + 1].flip(0)
        return found


def _real(rows: Tensor) -> Tensor:
    """(B, K) complex -> (B, 2 K), real beside imaginary."""
    return torch.view_as_real(rows).flatten(1)


def gains_on(table: Tensor) -> MatrixGains | SpectrumGains:
    """What is faster for features of this length."""
    return MatrixGains(table) if table.shape[1] <= MATRIX_SIZE else SpectrumGains(table)
