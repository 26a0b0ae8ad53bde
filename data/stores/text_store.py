"""text.h5: text features of every action, and the texts themselves.

    action                                  (c,) int64, 1-based, sorted
    label, local, global                    (c, d) float32, the encoder's output for each level, not normalised
    texts/label, texts/local, texts/global  (c,) string

Where a given backbone knows actions of another data set, the group `known` holds the same five fields of them.

The root attribute `encoder` names the text encoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data.clip_name import MAX_NUMBER
from data.errors import DataError
from data.stores import h5
from descriptions.levels import LEVELS

KNOWN = "known/"  # the group of the known actions
AGAIN = "delete it and run `fsvae-pipe embed-text` again"


@dataclass(frozen=True)
class TextFeatures:
    """Features and texts of c actions, by level. The module's docstring has the shapes."""

    encoder: str
    action: NDArray[np.int64]
    features: Mapping[str, NDArray[np.float32]]
    texts: Mapping[str, NDArray[np.str_]]
    known: "TextFeatures | None" = None  # of the actions of another data set that the backbone knows


def write_text_features(path: Path, text: TextFeatures, record: Mapping[str, str]) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with h5.writing(path, {**record, "encoder": text.encoder}) as file:
        _write(file, "", text)
        if text.known is not None:
            _write(file, KNOWN, text.known)


def _write(file: h5py.File, group: str, text: TextFeatures) -> None:
    """Writes the fields of `text` into `group`: "" or "known/"."""
    file.create_dataset(f"{group}action", data=text.action, fletcher32=True)
    for level, features in text.features.items():
        file.create_dataset(f"{group}{level}", data=features, fletcher32=True)
    for level, texts in text.texts.items():
        h5.write_strings(file, f"{group}texts/{level}", texts)


def read_text_features(path: Path) -> TextFeatures:
    """Reads text.h5. Raises DataError when it is missing or damaged, or its parts do not fit each other."""
    with h5.reading(path) as file:
        encoder = str(h5.read_attribute(file, "", "encoder") or "")
        known = _read(file, KNOWN, encoder) if KNOWN.rstrip("/") in h5.group_names(file) else None
        text = replace(_read(file, "", encoder), known=known)
        h5.require_as_written(file)
    return text


def _read(file: h5py.File, group: str, encoder: str) -> TextFeatures:
    """Reads the fields in `group`: "" or "known/". Raises DataError when they do not fit each other."""
    names = h5.group_names(file, group.rstrip("/"))
    feature_levels = [name for name in names if name not in ("action", "texts") and f"{name}/" != KNOWN]
    text_levels = h5.group_names(file, f"{group}texts") if "texts" in names else []
    unknown = {*feature_levels, *text_levels} - {*LEVELS}
    if unknown:
        raise DataError(
            f"{file.filename}: holds {', '.join(sorted(map(str, unknown))[:5])}; expected the levels "
            f"{', '.join(LEVELS)}; {AGAIN}"
        )
    action = h5.read_array(file, f"{group}action", np.int64, 1)
    features = {level: h5.read_array(file, f"{group}{level}", np.float32, 2) for level in feature_levels}
    texts = {level: h5.read_strings(file, f"{group}texts/{level}") for level in text_levels}
    if not (action[:-1] < action[1:]).all() or (len(action) and not 1 <= action[0] <= action[-1] <= MAX_NUMBER):
        raise DataError(
            f"{file.filename}: {group}action does not hold rising action numbers, 1 to {MAX_NUMBER}; {AGAIN}"
        )
    if any(len(rows) != len(action) for rows in (*features.values(), *texts.values())):
        raise DataError(f"{file.filename}: its datasets differ in length; {AGAIN}")
    return TextFeatures(encoder, action, features, texts)
