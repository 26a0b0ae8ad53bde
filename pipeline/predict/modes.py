"""The modes of `predict` and `export`: the actions that they choose between.

gzsl   all actions: seen, unseen, and those given in words
zsl    the actions without training clips: the run's unseen actions, and those given in words
given  only the actions given in words
"""

from typing import Literal, get_args

Mode = Literal["gzsl", "zsl", "given"]
MODES: tuple[Mode, ...] = get_args(Mode)
