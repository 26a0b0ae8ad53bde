"""The losses of FS-VAE on plain tensors.

    total = MSE(s, s<-s) + MSE(t, t<-t) + b_s KL_s + b_t KL_t + lambda alpha (C_t + C_s) + cross_weight * cross

s skeleton and t text features of a batch, `s<-t` the skeleton feature that the text's latent decodes to. MSE is the
mean over batch and features, KL the mean over the batch of the sum over dimensions.
Letters: B batch, D features, Z latent.
"""

from typing import Literal

import torch
from torch import Tensor

Calibration = Literal["one-sided", "two-sided", "all-pairs", "label-aware"]


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over dimensions, mean over the batch. (B, Z) each -> ()."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=-1).mean()


def squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """|rows_i - others_j|^2 for every pair, (B, D) and (B, D) -> (B, B)."""
    squares = rows.square().sum(dim=1)[:, None] + others.square().sum(dim=1)[None, :]
    return (squares - 2 * rows @ others.T).clamp_min(0)


def permuted_calibration(rows: Tensor, crossed: Tensor, permutation: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid((|x_i - y_i|^2 - |x_i - y_pi(i)|^2) / temperature), x rows, y crossed, both (B, D) -> ().

    Source: the paper's calibrated loss; released code for C_t. The pair must be nearer than a random other one.
    """
    valid = (rows - crossed).square().sum(dim=1)
    invalid = (rows - crossed[permutation]).square().sum(dim=1)
    return torch.sigmoid((valid - invalid) / temperature).mean()


def valid_calibration(rows: Tensor, crossed: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid(|x_i - y_i|^2 / temperature), no negative. Source: released code for C_s. (B, D) each -> ()."""
    return torch.sigmoid((rows - crossed).square().sum(dim=1) / temperature).mean()


def pair_calibration(rows: Tensor, crossed: Tensor, negative: Tensor, temperature: float) -> Tensor:
    """Mean over the pairs (i, j) in `negative` (B, B) of sigmoid((|x_i - y_i|^2 - |x_i - y_j|^2) / temperature).

    0 when no pair is negative. Source: ours. (B, D) each -> ().
    """
    distances = squared_distances(rows, crossed)  # (B, B)
    terms = torch.sigmoid((distances.diagonal()[:, None] - distances) / temperature)
    return (terms * negative).sum() / negative.sum().clamp_min(1)


def calibrated_loss(
    kind: Calibration,
    skeleton: Tensor,
    skeleton_from_text: Tensor,
    text: Tensor,
    text_from_skeleton: Tensor,
    permutation: Tensor,
    actions: Tensor,
    temperature: float,
) -> Tensor:
    """C_t + C_s, a scalar.

    one-sided    C_t against a random permutation, C_s without a negative (released code)
    two-sided    both against the same random permutation (the paper's figure)
    all-pairs    both against every other clip of the batch (ours)
    label-aware  both against every clip of the batch with another action (ours)

    Features are (B, D), `permutation` and `actions` (B,).
    """
    if kind == "one-sided":
        return permuted_calibration(text, text_from_skeleton, permutation, temperature) + valid_calibration(
            skeleton, skeleton_from_text, temperature
        )
    if kind == "two-sided":
        return permuted_calibration(text, text_from_skeleton, permutation, temperature) + permuted_calibration(
            skeleton, skeleton_from_text, permutation, temperature
        )
    if kind == "all-pairs":
        negative = ~torch.eye(len(actions), dtype=torch.bool, device=actions.device)
    else:
        negative = actions[:, None] != actions[None, :]
    return pair_calibration(text, text_from_skeleton, negative, temperature) + pair_calibration(
        skeleton, skeleton_from_text, negative, temperature
    )
