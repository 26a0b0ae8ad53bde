"""The losses of FS-VAE on plain tensors.

    total = MSE(s, s<-s) + MSE(t, t<-t) + b_s KL_s + b_t KL_t + lambda alpha (C_t + C_s) + cross_weight * cross

s skeleton and t text features of a batch, `s<-t` the skeleton feature that the text's latent decodes to. MSE is the
mean over batch and features, KL the mean over the batch of the sum over dimensions.
The calibrated losses need only the squared distances d_ij = |x_i - y_j|^2 between the features x of a batch and the
cross-reconstructions y, so they are functions of these (B, B) distances.
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
    """|rows_i - others_j|^2 for every pair, (B, D) and (B, D) -> (B, B).

    By one matrix product, so the error is up to 1e-6 of the rows' own squared lengths.
    """
    lengths = torch.linalg.vector_norm(rows, dim=1), torch.linalg.vector_norm(others, dim=1)
    squares = lengths[0].square()[:, None] + lengths[1].square()[None, :]
    return torch.addmm(squares, rows, others.T, alpha=-2).clamp_min(0)


def add_squared_distances_gradient(gradient: Tensor, rows: Tensor, others: Tensor, to: Tensor) -> None:
    """From the gradient of `squared_distances`, (B, B): add that of `others`, (B, D), to `to` in place."""
    to.addmm_(gradient.T, rows, alpha=-2)
    to.addcmul_(others, gradient.sum(dim=0)[:, None], value=2)


def permuted_calibration(distances: Tensor, permutation: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid((d_ii - d_i,pi(i)) / temperature), (B, B) -> ().

    Source: the paper's calibrated loss; released code for C_t. The pair must be nearer than a random other one.
    """
    others = distances.gather(1, permutation[:, None])[:, 0]  # (B,)
    return torch.sigmoid((distances.diagonal() - others) / temperature).mean()


def valid_calibration(distances: Tensor, temperature: float) -> Tensor:
    """mean_i sigmoid(d_ii / temperature), no negative, (B, B) -> (). Source: released code for C_s."""
    return torch.sigmoid(distances.diagonal() / temperature).mean()


def pair_calibration(distances: Tensor, negative: Tensor, temperature: float) -> Tensor:
    """Mean over the pairs (i, j) in `negative` (B, B) of sigmoid((d_ii - d_ij) / temperature), (B, B) -> ().

    0 when no pair is negative. Source: ours.
    """
    terms = torch.sigmoid((distances.diagonal()[:, None] - distances) / temperature)
    return (terms * negative).sum() / negative.sum().clamp_min(1)


def calibrated_loss(
    kind: Calibration, skeleton: Tensor, text: Tensor, permutation: Tensor, actions: Tensor, temperature: float
) -> Tensor:
    """C_t + C_s, a scalar.

    one-sided    C_t against a random permutation, C_s without a negative (released code)
    two-sided    both against the same random permutation (the paper's figure)
    all-pairs    both against every other clip of the batch (ours)
    label-aware  both against every clip of the batch with another action (ours)

    `skeleton` and `text` (B, B) are the squared distances between each clip's feature and what each clip's other
    modality decodes to; `permutation` and `actions` are (B,).
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
    """Which clips j are negatives of clip i, from the batch's actions (B,): (B, B) bool."""
    if kind == "all-pairs":
        return ~torch.eye(len(actions), dtype=torch.bool, device=actions.device)
    return actions[:, None] != actions[None, :]


def calibrated_gradients(
    kind: Calibration, skeleton: Tensor, text: Tensor, permutation: Tensor, actions: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """The gradients of `calibrated_loss` in `skeleton` and `text`, (B, B) each; autograd takes three times as long."""
    if kind == "one-sided":
        return _valid_gradient(skeleton, temperature), _permuted_gradient(text, permutation, temperature)
    if kind == "two-sided":
        return _permuted_gradient(skeleton, permutation, temperature), _permuted_gradient(
            text, permutation, temperature
        )
    negative = negative_pairs(kind, actions)
    return _pair_gradient(skeleton, negative, temperature), _pair_gradient(text, negative, temperature)


def _slope(probabilities: Tensor) -> Tensor:
    """The slope of the sigmoid where it is `probabilities`."""
    return probabilities * (1 - probabilities)


def _valid_gradient(distances: Tensor, temperature: float) -> Tensor:
    return torch.diag(_slope(torch.sigmoid(distances.diagonal() / temperature)) / (len(distances) * temperature))


def _permuted_gradient(distances: Tensor, permutation: Tensor, temperature: float) -> Tensor:
    others = distances.gather(1, permutation[:, None])[:, 0]  # (B,)
    slope = _slope(torch.sigmoid((distances.diagonal() - others) / temperature)) / (len(distances) * temperature)
    return torch.diag(slope).scatter_add_(1, permutation[:, None], -slope[:, None])


def _pair_gradient(distances: Tensor, negative: Tensor, temperature: float) -> Tensor:
    slope = _slope(torch.sigmoid((distances.diagonal()[:, None] - distances) / temperature)) * negative
    slope /= negative.sum().clamp_min(1) * temperature
    return torch.diag(slope.sum(dim=1)) - slope
