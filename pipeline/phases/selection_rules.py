"""The selection rules: which cycle of training is used.

Each rule chooses a cycle for the test phase, and one for the val phase, where the gate is fitted and everything tuned:

val     the cycle with the best ZSL top-1 on the pseudo-unseen actions of the val phase, for both phases. Of several
        best ones, the earliest.
last    the last cycle, for both phases.
oracle  the cycle with the best ZSL top-1 on the unseen test clips; for the val phase, the best on its pseudo-unseen
        actions. The released code does this, and published numbers use it. Do not report it as a result.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from data.phase_names import PHASES, PhaseName
from pipeline.workspace.evaluate_settings import Rule


def chosen_cycles(rule: Rule, zsl: Mapping[PhaseName, Sequence[float]]) -> dict[PhaseName, int]:
    """Return the cycle (from 1) that `rule` chooses in each phase, given the ZSL top-1 of every cycle in each phase."""
    best = {phase: int(np.argmax(zsl[phase])) + 1 for phase in PHASES}  # argmax returns the first of equals
    if rule == "val":
        return dict.fromkeys(PHASES, best["val"])
    if rule == "last":
        return dict.fromkeys(PHASES, len(zsl["val"]))
    return best
