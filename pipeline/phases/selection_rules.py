"""The selection rules: which cycles of training count.

Each rule takes cycles for the test phase, and some for the val phase, where the gate is fitted and everything is tuned.
Of several cycles the log-probabilities are averaged.

mean    the second half of the cycles, for both phases: nothing is chosen, so that no luck is either (ours)
val     the cycle with the best ZSL top-1 on the pseudo-unseen actions of the val phase, for both phases. Of equal ones
        the earliest.
last    the last cycle, for both phases.
oracle  the cycle with the best ZSL top-1 on the unseen test clips; for the val phase, the best on its pseudo-unseen
        actions. The released code does this, and published numbers use it. Do not report it as a result.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from data.phase_names import PHASES, PhaseName
from pipeline.workspace.evaluate_settings import Rule


def chosen_cycles(rule: Rule, zsl: Mapping[PhaseName, Sequence[float]]) -> dict[PhaseName, tuple[int, ...]]:
    """The cycles (from 1) that `rule` takes in each phase, given the ZSL top-1 of every cycle in each phase."""
    cycles = len(zsl["val"])
    if rule == "mean":
        return dict.fromkeys(PHASES, second_half(cycles))
    if rule == "last":
        return dict.fromkeys(PHASES, (cycles,))
    best = {phase: int(np.argmax(zsl[phase])) + 1 for phase in PHASES}  # argmax: of equals the first
    return {phase: (best[phase if rule == "oracle" else "val"],) for phase in PHASES}


def second_half(cycles: int) -> tuple[int, ...]:
    """The later half of `cycles` cycles; of an odd number the middle one is among them."""
    return tuple(range(cycles // 2 + 1, cycles + 1))
