"""The calibrated loss: the true pair must be nearer than a wrong one.

x are the features of a batch, y what each clip's other modality decodes to. Every form of the loss is a function of the
squared distances d_ij = |x_i - y_j|^2, a (B, B) matrix for skeletons and another for texts.

Letters: B batch, D features.
"""

from typing import Literal

import torch
from torch import Tensor

Calibration = Literal["one-sided", "two-sided", "all-pairs", "label-aware"]


def squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """|rows_i - others_j|^2 for every pair, (B, D) and (B, D) -> (B, B).

    Computed with one matrix product. The error is up to 1e-6 of the rows' squared lengths.
    """
    squares = rows.square().sum(dim=1)[:, None] + others.square().sum(dim=1)  # (B, B)
    return torch.addmm(squares, rows, others.T, alpha=-2).clamp_min(0)


def permuted_calibration(distances: Tensor, permutation: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid((d_ii - d_i,pi(i)) / temperature), (B, B) -> ().

    The wrong pair is a random one. Source: the paper's calibrated loss; the released code for C_t.
    """
    others = distances.gather(1, permutation[:, None])[:, 0]  # (B,)
    return torch.sigmoid((distances.diagonal() - others) / temperature).mean()


def valid_calibration(distances: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid(d_ii / temperature), (B, B) -> (). There is no wrong pair. Source: the released code for C_s."""
    return torch.sigmoid(distances.diagonal() / temperature).mean()


def pair_calibration(distances: Tensor, negative: Tensor, temperature: float) -> Tensor:
    """Mean of sigmoid((d_ii - d_ij) / temperature) over the pairs (i, j) in `negative` (B, B). (B, B) -> ().

    It is 0 when no pair is negative. Source: ours.
    """
    terms = torch.sigmoid((distances.diagonal()[:, None] - distances) / temperature)  # (B, B)
    return (terms * negative).sum() / negative.sum().clamp_min(1)


def calibrated_loss(
    kind: Calibration, skeleton: Tensor, text: Tensor, permutation: Tensor, actions: Tensor, temperature: float
) -> Tensor:
    """C_t + C_s, a scalar.

    one-sided    C_t against a random permutation, C_s without a negative (released code)
    two-sided    both against the same random permutation (the paper's figure)
    all-pairs    both against every other clip of the batch (ours)
    label-aware  both against every clip of the batch with another action (ours)

    `skeleton` and `text` are squared distances (B, B), as in the module's docstring. `permutation` and `actions` are
    (B,).
    """
    if kind == "one-sided":
        return permuted_calibration(text, permutation, temperature) + valid_calibration(skeleton, temperature)
    if kind == "two-sided":
        return permuted_calibration(text, permutation, temperature) + permuted_calibration(
            skeleton, permutation, temperature
        )
    negative = negative_pairs(kind, actions)
    return pair_calibration(text, negative, temperature) + pair_calibration(skeleton, negative, temperature)


def negative_pairs(kind: Literal["all-pairs", "label-aware"], actions: Tensor) -> Tensor:
    """Whether clip j is a negative of clip i, from the batch's actions (B,). (B, B) bool."""
    if kind == "all-pairs":
        return ~torch.eye(len(actions), dtype=torch.bool, device=actions.device)
    return actions[:, None] != actions[None, :]
