"""Reads features and encodes texts for the benches of aligners."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.splits import NUM_ACTIONS
from descriptions.levels import LEVELS
from descriptions.loader import builtin_descriptions, read_descriptions
from models.known_actions import KnownActions
from models.text.encoders import load_text_encoder
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import joined_levels
from pipeline.phases.texts_in_use import BUILTIN_TEXTS

LARGEST_RESIDUAL = 1e-3  # of the classifier that follows from features and logits, in deviations of the logits
Texts = NDArray[np.float32]
Clips = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]  # see read_clips


def read_clips(path: Path) -> Clips:
    """Features (n, D), action, subject and training part (n,) each, without clips whose feature is constant.

    Raises DataError when the file is not an .npz with these arrays.
    """
    try:
        return _clips(path)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an .npz file with features, action, and train or subject ({error})") from error


def _clips(path: Path) -> Clips:
    with np.load(path) as file:
        features, action = file["features"].astype(np.float32), file["action"].astype(np.int64)
        if "train" not in file and "subject" not in file:
            raise KeyError("neither train nor subject")
        subject = file["subject"].astype(np.int64) if "subject" in file else np.zeros_like(action)
        train = file["train"].astype(bool) if "train" in file else subject % 2 == 1
    if features.ndim != 2 or not len(features) == len(action) == len(train):
        raise ValueError(f"features {features.shape}, action {action.shape}, train {train.shape}")
    usable = np.isfinite(features).all(axis=1) & (features.std(axis=1) > 0)
    return features[usable], action[usable], subject[usable], train[usable]


def known_of(path: Path, named: str, encoder: str) -> KnownActions:
    """The actions that the backbone of FEATURES.npz knows: `named` is a data set or a CSV of their texts.

    Raises DataError when the logits are missing, are no linear function of the features, or have other classes.
    """
    with np.load(path) as file:
        if "logits" not in file:
            raise DataError(f"{path}: has no logits, from which the weights of known classes follow")
        every, logits = file["features"].astype(np.float64), file["logits"].astype(np.float64)
    usable = np.isfinite(every).all(axis=1) & np.isfinite(logits).all(axis=1)
    rows = np.concatenate((every[usable], np.ones((usable.sum(), 1))), axis=1)
    solution = np.linalg.lstsq(rows, logits[usable], rcond=None)[0]  # (D + 1, K)
    residual = np.abs(rows @ solution - logits[usable]).max() / logits[usable].std()
    if residual > LARGEST_RESIDUAL:
        raise DataError(f"{path}: its logits are no linear function of its features (they differ by {residual:.2g})")
    actions = range(1, NUM_ACTIONS.get(named, 0) + 1)
    texts = builtin_descriptions(BUILTIN_TEXTS[named]) if actions else read_descriptions(Path(named))
    of_actions = {action: texts[action] for action in actions or texts}
    if len(of_actions) != logits.shape[1]:
        raise DataError(f"{path}: has logits of {logits.shape[1]} classes, --known {named} names {len(of_actions)}")
    features = np.stack(list(encoded(of_actions, encoder).values()))
    return KnownActions(solution[:-1].T.astype(np.float32), features)


def encoded(texts: Mapping[int, Mapping[str, str]], encoder: str) -> dict[int, Texts]:
    """The text feature of each action."""
    model = load_text_encoder(encoder)
    levels = [np.asarray(model.encode([row[level] for row in texts.values()], batch_size=32)) for level in LEVELS]
    return dict(zip(texts, joined_levels(levels), strict=True))


def require_texts(action: NDArray[np.int64], texts: Mapping[int, Texts], withheld: int) -> None:
    """Raise PipelineError when an action has no text, or too few actions would stay seen."""
    actions = np.unique(action).tolist()
    if without := sorted(set(actions) - set(texts)):
        raise PipelineError(f"--texts has no row for the actions {without} of the features")
    if len(actions) < withheld + 2:
        raise PipelineError(f"{len(actions)} actions are too few for {withheld} unseen and pseudo-unseen ones")
