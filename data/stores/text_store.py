"""text.h5: text features of every action, and the texts themselves.

    action                                  (c,) int64, 1-based, sorted
    label, local, global                    (c, d) float32, the encoder's output for each level, not normalised
    texts/label, texts/local, texts/global  (c,) string

The root attribute `encoder` names the text encoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.clip_name import MAX_NUMBER
from data.errors import DataError
from data.stores import h5
from descriptions.levels import LEVELS


@dataclass(frozen=True)
class TextFeatures:
    """Features and texts of c actions, by level. The module's docstring has the shapes."""

    encoder: str
    action: NDArray[np.int64]
    features: Mapping[str, NDArray[np.float32]]
    texts: Mapping[str, NDArray[np.str_]]


def write_text_features(path: Path, text: TextFeatures, record: Mapping[str, str]) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with h5.writing(path, {**record, "encoder": text.encoder}) as file:
        file.create_dataset("action", data=text.action, fletcher32=True)
        for level, features in text.features.items():
            file.create_dataset(level, data=features, fletcher32=True)
        for level, texts in text.texts.items():
            h5.write_strings(file, f"texts/{level}", texts)


def read_text_features(path: Path) -> TextFeatures:
    """Reads text.h5. Raises DataError when it is missing or damaged, or its parts do not fit each other."""
    with h5.reading(path) as file:
        action = h5.read_array(file, "action", np.int64, 1)
        names = h5.group_names(file)
        feature_levels = [name for name in names if name not in ("action", "texts")]
        text_levels = h5.group_names(file, "texts") if "texts" in names else []
        unknown = {*feature_levels, *text_levels} - {*LEVELS}
        if unknown:
            raise DataError(
                f"{path}: holds {', '.join(sorted(map(str, unknown))[:5])}; expected the levels {', '.join(LEVELS)}; "
                "delete it and run `fsvae-pipe embed-text` again"
            )
        features = {level: h5.read_array(file, level, np.float32, 2) for level in feature_levels}
        texts = {level: h5.read_strings(file, f"texts/{level}") for level in text_levels}
        encoder = str(h5.read_attribute(file, "", "encoder") or "")
    if not (action[:-1] < action[1:]).all() or (len(action) and not 1 <= action[0] <= action[-1] <= MAX_NUMBER):
        raise DataError(
            f"{path}: action does not hold rising action numbers, 1 to {MAX_NUMBER}; delete it and run "
            "`fsvae-pipe embed-text` again"
        )
    if any(len(rows) != len(action) for rows in (*features.values(), *texts.values())):
        raise DataError(f"{path}: its datasets differ in length; delete it and run `fsvae-pipe embed-text` again")
    with h5.reading(path) as file:
        h5.require_as_written(file)
    return TextFeatures(encoder, action, features, texts)
