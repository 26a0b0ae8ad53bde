"""The recipes that make clean clips of raw ones; data/clean/bodies.py says what each does."""

from collections.abc import Mapping
from typing import Literal, get_args

Recipe = Literal["shift-gcn", "denoised", "tracked"]
RECIPES: tuple[Recipe, ...] = get_args(Recipe)

# Raised when a recipe makes other clips of the same files, so that what an earlier revision of it made is stale, and
# what other recipes made is not. A recipe that is not here has its first revision.
REVISIONS: Mapping[str, str] = {"denoised": "2"}


def revision(recipe: str) -> dict[str, str]:
    """Returns the revision of `recipe` as an input of what it makes: name -> revision. Empty for a first revision."""
    return {f"revision of the recipe {recipe}": REVISIONS[recipe]} if recipe in REVISIONS else {}
