"""Losses on small numbers worked by hand."""

import math

import pytest
import torch
from torch import Tensor

from models.fsvae.calibrated_loss import (
    Calibration,
    calibrated_loss,
    pair_calibration,
    permuted_calibration,
    squared_distances,
    valid_calibration,
)
from models.fsvae.losses import kl_divergence


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


# two clips; |s_i - s<-t_j|^2 is [[1, 9], [4, 0]], |t_i - t<-s_j|^2 is [[4, 1], [16, 9]]
SKELETON, SKELETON_FROM_TEXT = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.0]])
TEXT, TEXT_FROM_SKELETON = torch.tensor([[0.0], [-2.0]]), torch.tensor([[2.0], [1.0]])
SWAPPED = torch.tensor([1, 0])


def loss(kind: Calibration, actions: Tensor, permutation: Tensor = SWAPPED) -> float:
    distances = squared_distances(SKELETON, SKELETON_FROM_TEXT), squared_distances(TEXT, TEXT_FROM_SKELETON)
    return calibrated_loss(kind, *distances, permutation, actions, temperature=2.0).item()


def test_kl_by_hand() -> None:
    mu, logvar = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    first, second = 0.5 * (1 + (math.e - 1 - 1)), 0.5 * 4
    assert kl_divergence(mu, logvar).item() == pytest.approx((first + second) / 2)
    assert kl_divergence(torch.zeros(3, 4), torch.zeros(3, 4)).item() == 0


def test_squared_distances_by_hand() -> None:
    torch.testing.assert_close(squared_distances(SKELETON, SKELETON_FROM_TEXT), torch.tensor([[1.0, 9.0], [4.0, 0.0]]))
    torch.testing.assert_close(squared_distances(TEXT, TEXT_FROM_SKELETON), torch.tensor([[4.0, 1.0], [16.0, 9.0]]))


def test_one_sided_is_the_released_form() -> None:
    c_t = (sigmoid((4 - 1) / 2) + sigmoid((9 - 16) / 2)) / 2
    c_s = (sigmoid(1 / 2) + sigmoid(0)) / 2
    assert loss("one-sided", torch.tensor([0, 1])) == pytest.approx(c_t + c_s)


def test_two_sided_has_negatives_on_both_sides() -> None:
    c_t = (sigmoid((4 - 1) / 2) + sigmoid((9 - 16) / 2)) / 2
    c_s = (sigmoid((1 - 9) / 2) + sigmoid((0 - 4) / 2)) / 2
    assert loss("two-sided", torch.tensor([0, 1])) == pytest.approx(c_t + c_s)


def test_a_clip_paired_with_itself_gives_a_half() -> None:
    assert loss("two-sided", torch.tensor([0, 1]), permutation=torch.tensor([0, 1])) == pytest.approx(1.0)


def test_all_pairs_of_two_is_the_swap() -> None:
    assert loss("all-pairs", torch.tensor([0, 1])) == pytest.approx(loss("two-sided", torch.tensor([0, 1])))


def test_label_aware_leaves_out_pairs_of_one_action() -> None:
    assert loss("label-aware", torch.tensor([0, 1])) == pytest.approx(loss("all-pairs", torch.tensor([0, 1])))
    assert loss("label-aware", torch.tensor([1, 1])) == 0


def test_pair_calibration_is_its_double_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, crossed = torch.randn((5, 3), generator=generator), torch.randn((5, 3), generator=generator)
    actions = [0, 1, 0, 2, 1]
    terms = [
        sigmoid(((rows[i] - crossed[i]).square().sum() - (rows[i] - crossed[j]).square().sum()).item() / 0.7)
        for i in range(5)
        for j in range(5)
        if actions[i] != actions[j]
    ]
    negative = torch.tensor(actions)[:, None] != torch.tensor(actions)[None, :]
    assert pair_calibration(squared_distances(rows, crossed), negative, 0.7).item() == pytest.approx(
        sum(terms) / len(terms), rel=1e-5
    )


def test_a_nearer_pair_costs_less() -> None:
    rows = torch.randn((6, 4), generator=torch.Generator().manual_seed(1))
    permutation = torch.tensor([1, 2, 3, 4, 5, 0])
    near, far = squared_distances(rows, rows + 0.01), squared_distances(rows, rows + 1.0)
    assert permuted_calibration(near, permutation, 1.0) < permuted_calibration(far, permutation, 1.0)
    assert valid_calibration(near, 1.0) < valid_calibration(far, 1.0)


def test_the_gradient_of_squared_distances_is_that_of_the_plain_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, others, weights = (torch.randn(shape, generator=generator) for shape in ((5, 3), (5, 3), (5, 5)))
    others.requires_grad_()
    plain = (rows[:, None] - others[None]).square().sum(dim=-1)
    (wanted,) = torch.autograd.grad((plain * weights).sum(), others)
    (found,) = torch.autograd.grad((squared_distances(rows, others) * weights).sum(), others)
    torch.testing.assert_close(found, wanted)
