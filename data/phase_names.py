"""The two phases of a zero-shot experiment; pipeline/phases/phase.py says what each is."""

from typing import Literal, get_args

PhaseName = Literal["test", "val"]
PHASES: tuple[PhaseName, ...] = get_args(PhaseName)
