"""Holds out training clips: backbones do not train on them, so that accuracy can be measured without a test clip."""

import math

import numpy as np
from numpy.typing import NDArray

from data.random_streams import HELD_OUT_CLIPS

LEAST_CLIPS = 20  # the accuracy on fewer clips says nothing


def at_chance(top1: float, clips: int, classes: int) -> bool:
    """Return whether an accuracy of `top1` percent on `clips` is about what guessing among `classes` gives.

    It is when `top1` is at most three times chance, as when few columns of logits in a wrong order are right by luck.
    With few classes, that would be a good accuracy, so that the limit is then chance plus a tenth of the way to 100 %.
    With few clips, a guess is often better than that: the limit is at least chance plus two standard errors of a guess,
    which a guess exceeds once in forty times. False when there are fewer than LEAST_CLIPS `clips` or one class, which
    tell nothing.
    """
    if clips < LEAST_CLIPS or classes < 2:
        return False
    chance = 100 / classes
    standard_error = math.sqrt(chance * (100 - chance) / clips)
    return top1 <= chance + max(min(2 * chance, (100 - chance) / 10), 2 * standard_error)


def choose_held_out(
    action: NDArray[np.int64], subject: NDArray[np.int64], train: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_]:
    """Return a mask (n,) of the held-out clips, about `share` of the `train` clips. It is the same in both phases.

    `seed` draws whole subjects, if `share` of the training subjects is at least one when rounded, and every action
    keeps clips of other subjects. Otherwise it draws `share` of the clips of each action: at least one, but never all.
    """
    generator = HELD_OUT_CLIPS.generator(seed)
    subjects = np.unique(subject[train])
    number = min(round(share * len(subjects)), len(subjects) - 1)
    if number >= 1:
        held_out = train & np.isin(subject, generator.permutation(subjects)[:number])
        if set(action[train & ~held_out]) == set(action[train]):
            return held_out
    held_out = np.zeros_like(train)
    for wanted in np.unique(action[train]):
        clips = np.flatnonzero(train & (action == wanted))
        count = min(int(np.ceil(share * len(clips))), len(clips) - 1)
        held_out[generator.permutation(clips)[:count]] = True
    return held_out
