"""The losses of FS-VAE: one table, LOSSES. Training minimises the sum of each loss times its weight:

    MSE(s, s<-s) + MSE(t, t<-t) + b_s KL_s + b_t KL_t + lambda alpha on (C_t + C_s)
    + cross_weight (MSE(s, s<-t) + MSE(t, t<-s))

s are the skeleton features of a batch, t the text features, and s<-t the skeleton features that are decoded from the
texts' latents. MSE is the mean over batch and features. schedules.py says what b_s, b_t and `on` are,
calibrated_loss.py what C_t and C_s are. Source: the paper; plain cross-reconstruction is an option of ours, off by
default.

The columns of history.csv, the lines of training and the curves of the report follow from the table. CONTRIBUTING.md
shows how to add a loss.

Letters: B batch, D features, Z latent.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from models.fsvae.calibrated_loss import calibrated_loss, squared_distances
from models.fsvae.step import TrainingStep


@dataclass(frozen=True)
class Loss:
    """An entry of the table. Both functions may use every field of a TrainingStep."""

    name: str  # its column in history.csv
    label: str  # its curve in the report
    value: Callable[[TrainingStep], Tensor]  # a scalar, from which autograd computes the gradients
    weight: Callable[[TrainingStep], float]  # the loss is not computed in steps where this is 0


def squared_error(decoded: Tensor, features: Tensor) -> Tensor:
    """Mean over batch and features, (B, D) and (B, D) -> ()."""
    return nn.functional.mse_loss(decoded, features)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over dimensions, mean over the batch. (B, Z) each -> ()."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=-1).mean()


def calibrated(step: TrainingStep) -> Tensor:
    """C_t + C_s, in the form and at the temperature that the settings name."""
    return calibrated_loss(
        step.settings.calibrated,
        squared_distances(step.skeleton, step.skeleton_from_text),  # (B, B)
        squared_distances(step.text, step.text_from_skeleton),  # (B, B)
        step.permutation,
        step.actions,
        step.settings.lambda_,
    )


def calibrated_weight(step: TrainingStep) -> float:
    """The weight lambda alpha, in the steps where the schedule uses the calibrated loss."""
    return step.settings.lambda_ * step.settings.alpha if step.schedule.calibrated(step.number) else 0.0


def cross(step: TrainingStep) -> Tensor:
    """Plain cross-reconstruction, both directions together."""
    return squared_error(step.skeleton_from_text, step.skeleton) + squared_error(step.text_from_skeleton, step.text)


LOSSES = (
    Loss(
        name="skeleton",
        label="skeleton reconstruction",
        value=lambda step: squared_error(step.skeleton_from_skeleton, step.skeleton),
        weight=lambda step: 1.0,
    ),
    Loss(
        name="text",
        label="text reconstruction",
        value=lambda step: squared_error(step.text_from_text, step.text),
        weight=lambda step: 1.0,
    ),
    Loss(
        name="skeleton_kl",
        label="skeleton KL",
        value=lambda step: kl_divergence(step.skeleton_mu, step.skeleton_logvar),
        weight=lambda step: step.schedule.skeleton_kl(step.number),
    ),
    Loss(
        name="text_kl",
        label="text KL",
        value=lambda step: kl_divergence(step.text_mu, step.text_logvar),
        weight=lambda step: step.schedule.text_kl(step.cycle, step.number),
    ),
    Loss(name="calibrated", label="calibrated", value=calibrated, weight=calibrated_weight),
    Loss(name="cross", label="cross reconstruction", value=cross, weight=lambda step: step.settings.cross_weight),
)


def weighted_sum(step: TrainingStep) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum that training minimises, and by name each loss that is in it, before its weight."""
    total, values = step.skeleton.new_zeros(()), {}
    for loss in LOSSES:
        weight = loss.weight(step)
        if weight:
            values[loss.name] = loss.value(step)
            total = total.add(values[loss.name], alpha=weight)
    return total, values
