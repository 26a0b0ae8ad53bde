import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.shift_gcn.temporal_shift import TemporalShift, hat_taps, temporal_shift
from tests.shared.literal_shift_gcn import LiteralShift


def literal(x: Tensor, offsets: Tensor, stride: int) -> Tensor:
    shift = LiteralShift(len(offsets), stride).double()
    shift.ypos.data = offsets - (0.5 if stride == 2 else 0)  # which it adds again
    shifted: Tensor = shift(x.permute(2, 1, 3, 0)).permute(3, 1, 0, 2)
    return shifted


@settings(max_examples=60, deadline=None)
@given(
    offsets=st.lists(st.floats(-25, 25), min_size=1, max_size=4),
    frames=st.integers(2, 9),
    stride=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_equals_interpolation_channel_by_channel(offsets: list[float], frames: int, stride: int, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(3, len(offsets), 2, frames)))
    y = torch.tensor(offsets, dtype=torch.float64)
    found = temporal_shift(x, y, stride)
    assert found.shape == (3, len(offsets), 2, frames // stride)
    torch.testing.assert_close(found, literal(x, y, stride), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients(stride: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 2, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-1.3, 0.4, 2.6, -9.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: temporal_shift(x, y, stride), (x, y))


def test_slope_at_a_whole_offset_is_towards_the_later_frame() -> None:
    x = torch.tensor([0.0, 1.0, 5.0, 6.0]).view(1, 1, 1, 4)
    y = torch.tensor([1.0], requires_grad=True)
    (slope,) = torch.autograd.grad(temporal_shift(x, y)[0, 0, 0, 0], y)
    assert slope.item() == 4.0  # x[2] - x[1]


def test_taps_add_up_to_one_and_are_hats() -> None:
    taps = hat_taps(torch.tensor([0.25, -2.0, 1.999]), 3)
    torch.testing.assert_close(taps.sum(1), torch.ones(3))
    torch.testing.assert_close(taps[0], torch.tensor([0, 0, 0, 0.75, 0.25, 0, 0]))


def test_an_offset_that_is_no_number_makes_no_number() -> None:
    for offset in (torch.inf, torch.nan):
        assert temporal_shift(torch.ones(1, 1, 1, 4), torch.tensor([offset])).isnan().all()


def test_stride_2_adds_half_a_frame_and_offsets_start_within_one() -> None:
    shift = TemporalShift(500, 2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(shift.offset_frames, shift.ypos + 0.5)
    assert shift.ypos.abs().max() <= 1
    assert shift.ypos.std() > 0.5
