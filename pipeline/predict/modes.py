"""What `predict` and `export` can be asked for: a mode and a seed.

The mode says which actions they choose between.

gzsl   all actions: seen, unseen, and those given in words
zsl    the actions without training clips: the run's unseen actions, and those given in words
given  only the actions given in words

The seed says whose model answers: that of one seed, or, for "all", the ensemble of all seeds of the run.
"""

from typing import Final, Literal, get_args

Mode = Literal["gzsl", "zsl", "given"]
MODES: tuple[Mode, ...] = get_args(Mode)

ALL: Final = "all"
Seed = int | Literal["all"]
