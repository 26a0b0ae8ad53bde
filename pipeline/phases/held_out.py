"""Holds out training clips: backbones do not train on them, so that accuracy can be measured without a test clip."""

import numpy as np
from numpy.typing import NDArray

from data.random_streams import HELD_OUT_CLIPS

LEAST_CLIPS = 20  # the accuracy on fewer held-out clips says nothing


def at_chance(top1: float, clips: int, classes: int) -> bool:
    """Return whether a held-out accuracy of `top1` percent is about what guessing among `classes` gives.

    About is at most 1.5 times chance. With few classes, 1.5 times chance would be a good accuracy, so that the limit is
    then chance plus a tenth of the way to 100 %. False when there are fewer than LEAST_CLIPS held-out `clips`.
    """
    chance = 100 / classes
    return clips >= LEAST_CLIPS and top1 <= chance + min(chance / 2, (100 - chance) / 10)


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
