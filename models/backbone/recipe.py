"""The optimiser's momentum, and its learning rate by epoch.

Source: Shift-GCN (CVPR 2020) and its released code; the one-cycle schedule, for few epochs, is ours.
"""

import math

from models.backbone.settings import BackboneSettings

MOMENTUM = 0.9
STEP_SHARES = (60 / 140, 80 / 140, 100 / 140)  # of all epochs; the published steps
STEP_FACTOR = 0.1
WARM_UP_SHARE = 0.2
WARM_UP_FROM = 0.04  # of the highest learning rate


def learning_rate(settings: BackboneSettings, progress: float) -> float:
    """The learning rate when `progress` (0 ... 1) of the training is done."""
    if settings.schedule == "steps":
        steps = sum(progress + 1e-9 >= share for share in STEP_SHARES)
        return settings.learning_rate * STEP_FACTOR**steps
    if progress < WARM_UP_SHARE:
        return settings.learning_rate * (WARM_UP_FROM + (1 - WARM_UP_FROM) * progress / WARM_UP_SHARE)
    falling = (progress - WARM_UP_SHARE) / (1 - WARM_UP_SHARE)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))
