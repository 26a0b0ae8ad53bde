"""Which training clips the backbones do not train on, so that something can be measured without a test clip."""

import numpy as np
from numpy.typing import NDArray

from data.random_streams import HELD_OUT_CLIPS

LEAST_CLIPS = 20  # held out, for their accuracy to tell anything


def at_chance(top1: float, clips: int, classes: int) -> bool:
    """Whether a held-out accuracy of `top1` percent is what guessing among `classes` gives, or hardly more.

    That is up to half as much again, and of few classes, where half as much again would be good, a tenth of what is
    left. False where too few `clips` are held out to tell.
    """
    chance = 100 / classes
    return clips >= LEAST_CLIPS and top1 <= chance + min(chance / 2, (100 - chance) / 10)


def choose_held_out(
    action: NDArray[np.int64], subject: NDArray[np.int64], train: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_]:
    """Which of the `train` clips are held out: (n,), about `share` of them, the same in both phases.

    Whole subjects, drawn by `seed`, when `share` of the training subjects is at least one (rounded) and every action
    keeps clips of others. Else `share` of each action's clips, drawn by `seed`: one at least, never all.
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
