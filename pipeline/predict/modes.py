"""Between which actions `predict` and `export` choose.

gzsl   all actions: seen, unseen, and those given in words
zsl    the actions that no one trained on: the run's unseen ones, and those given in words
given  those given in words alone
"""

from typing import Literal, get_args

Mode = Literal["gzsl", "zsl", "given"]
MODES: tuple[Mode, ...] = get_args(Mode)
