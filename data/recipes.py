"""The recipes that make clean clips of raw ones; data/clean/bodies.py says what each does."""

from typing import Literal, get_args

Recipe = Literal["shift-gcn", "denoised"]
RECIPES: tuple[Recipe, ...] = get_args(Recipe)
