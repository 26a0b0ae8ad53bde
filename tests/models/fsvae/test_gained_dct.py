"""Gains on the DCT of picked rows: the same as gains between two transforms, gradients included."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.fsvae.frequency import dct, inverse_dct
from models.fsvae.gained_dct import GainedDCT, _InversePairs


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
    found = GainedDCT(table).rows(index, gains)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    (found_gradient,) = torch.autograd.grad((found * of_output).sum(), gains)
    torch.testing.assert_close(found_gradient, wanted_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_the_backward_is_the_transpose_for_any_pairs(size: int) -> None:
    generator, numbers = torch.Generator().manual_seed(size), 2 * (size // 2 + 1)
    pairs = torch.randn((1, numbers), generator=generator).requires_grad_()
    of_output = torch.randn((1, size), generator=generator)
    matrix = _InversePairs.apply(torch.eye(numbers), size)  # type: ignore[no-untyped-call]
    (found,) = torch.autograd.grad((_InversePairs.apply(pairs, size) * of_output).sum(), pairs)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, of_output @ matrix.T)
