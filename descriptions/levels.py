"""The three levels at which each action is described."""

from typing import Literal, get_args

Level = Literal["label", "local", "global"]
LEVELS: tuple[Level, ...] = get_args(Level)
