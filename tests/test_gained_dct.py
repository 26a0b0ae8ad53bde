"""Gains on the DCT of picked rows: the same as gains between two transforms, gradients included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.frequency import MATRIX_SIZE, dct, inverse_dct
from models.gained_dct import MatrixGains, SpectrumGains, gains_on


@pytest.mark.parametrize("kind", [MatrixGains, SpectrumGains])
@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 41), seed=st.integers(0, 99))
def test_equal_to_two_transforms(kind: type[MatrixGains] | type[SpectrumGains], size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn((5, size), generator=generator)
    gains = torch.randn(size, generator=generator).requires_grad_()
    index = torch.tensor([3, 0, 3])  # one row twice
    wanted = inverse_dct(dct(table[index]) * gains)
    of_output = torch.randn((3, size), generator=generator)
    (wanted_gradient,) = torch.autograd.grad((wanted * of_output).sum(), gains)
    with torch.no_grad():
        tried = kind(table)
        torch.testing.assert_close(tried.forward(index, gains), wanted.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(tried.backward(of_output), wanted_gradient, rtol=1e-4, atol=1e-5)


def test_long_features_take_the_fft() -> None:
    assert isinstance(gains_on(torch.zeros(2, MATRIX_SIZE)), MatrixGains)
    assert isinstance(gains_on(torch.zeros(2, MATRIX_SIZE + 1)), SpectrumGains)
