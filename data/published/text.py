"""Published text features: one .npy (classes, D) for each level, rows in the order of the classes."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.formats.npy_file import load_matrix
from descriptions.levels import LEVELS

# lb: label. md: which parts of the body move, and how. ad: what the action is, as in a dictionary.
LEVEL_OF_PREFIX = {"lb": "label", "md": "local", "ad": "global"}


def level_and_path(argument: str) -> tuple[str, Path]:
    """Returns level and path: local, my.npy for "local=my.npy"; local, md_60.npy for "md_60.npy".

    Raises DataError when neither a prefix nor the file's name gives the level.
    """
    level, equals, path = argument.partition("=")
    if equals and level in LEVELS:
        return level, Path(path)
    match = re.fullmatch(r"(lb|ad|md)_\d+\.npy", Path(argument).name)
    if match is None:
        raise DataError(
            f"{argument}: its name does not say which level it is; published files are called lb_60.npy (label), "
            f"md_60.npy (local) and ad_60.npy (global). Give other files as LEVEL=FILE, with {', '.join(LEVELS)}"
        )
    return LEVEL_OF_PREFIX[match[1]], Path(argument)


def read_text_level(path: Path, num_actions: int | None) -> NDArray[np.float32]:
    """Loads features (c, D); row a - 1 is action a. Raises DataError when a row is zero, or c is not `num_actions`."""
    features = load_matrix(path)
    if num_actions is not None and len(features) != num_actions:
        raise DataError(
            f"{path}: has {len(features)} rows, but the data set has {num_actions} actions; expected one row for each"
        )
    zero_rows = np.flatnonzero(~features.any(axis=1))
    if len(zero_rows):
        raise DataError(f"{path}: row {zero_rows[0]} is all zero, so an action would have no text")
    return features
