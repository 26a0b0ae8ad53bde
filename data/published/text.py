"""Text features as the field shares them: one (classes, D) .npy a level, in the order of the classes."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.published.npy_file import load_matrix
from descriptions.levels import LEVELS

# lb: label. ad: what the action is, as a dictionary says it. md: which parts of the body move, and how.
LEVEL_OF_PREFIX = {"lb": "label", "md": "local", "ad": "global"}


def level_and_path(argument: str) -> tuple[str, Path]:
    """ "local=my.npy" -> local, my.npy; "md_60.npy" -> local, by its name. Raises DataError when neither tells."""
    level, equals, path = argument.partition("=")
    if equals and level in LEVELS:
        return level, Path(path)
    match = re.fullmatch(r"(lb|ad|md)_\d+\.npy", Path(argument).name)
    if match is None:
        raise DataError(
            f"{argument}: its name does not tell which level it is; published files are called lb_60.npy (label), "
            f"md_60.npy (local) and ad_60.npy (global), others are given as LEVEL=FILE with {', '.join(LEVELS)}"
        )
    return LEVEL_OF_PREFIX[match[1]], Path(argument)


def read_text_level(path: Path, num_actions: int | None) -> NDArray[np.float32]:
    """(c, D), the row of action a at a - 1. Raises DataError when there are not `num_actions` rows, or one is zero."""
    features = load_matrix(path)
    if num_actions is not None and len(features) != num_actions:
        raise DataError(
            f"{path}: has {len(features)} rows, but the data set has {num_actions} actions; wanted is one each"
        )
    empty = np.flatnonzero(~features.any(axis=1))
    if len(empty):
        raise DataError(f"{path}: row {empty[0]} is all zero, so an action would have no text")
    return features
