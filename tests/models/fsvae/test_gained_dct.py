"""Gains on the DCT of picked rows: the same as gains between two transforms, gradients included."""

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.fsvae.frequency import dct, inverse_dct
from models.fsvae.gained_dct import GainedDCT


@example(size=1, seed=0)
@example(size=1536, seed=0)
@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 41), seed=st.integers(0, 99))
def test_equal_to_two_transforms(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn((5, size), generator=generator)
    gains = torch.randn(size, generator=generator).requires_grad_()
    index = torch.tensor([3, 0, 3])  # one row twice
    wanted = inverse_dct(dct(table[index]) * gains)
    of_output = torch.randn((3, size), generator=generator)
    (wanted_gradient,) = torch.autograd.grad((wanted * of_output).sum(), gains)
    with torch.no_grad():
        tried = GainedDCT(table)
        torch.testing.assert_close(tried.forward(index, gains), wanted.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(tried.backward(of_output), wanted_gradient, rtol=1e-4, atol=1e-5)
