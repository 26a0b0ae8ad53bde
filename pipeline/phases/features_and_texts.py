"""Reads what an aligner is trained and scored on: the features of both phases, and the text features of actions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.splits import Split, action_label, resolve_split
from data.stores.feature_store import FeatureSet, all_the_same, read_features
from data.stores.text_store import read_text_features
from pipeline.phases.phase import Phase, PhaseClips, missing_actions, phase_clips, phase_of
from pipeline.phases.readable_texts import require_told_apart
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context


def split_in_use(config: Config, phases: dict[PhaseName, FeatureSet]) -> Split:
    """Return the split that `config` names. A custom one divides the actions that features/test.h5 holds."""
    return resolve_split(config.dataset, np.unique(phases["test"].action).tolist(), config.seed)


def read_phases(context: Context) -> dict[PhaseName, FeatureSet]:
    """Read both features files.

    Raises DataError when one is missing or damaged, holds NaN or infinite numbers, or the same feature for all clips.
    """
    features_of: dict[PhaseName, FeatureSet] = {}
    for name in PHASES:
        path = context.workspace.features(name)
        features = read_features(path)
        for part in ("features", "logits"):
            bad = np.flatnonzero(~np.isfinite(getattr(features, part)).all(axis=1))
            if len(bad):
                raise DataError(
                    f"{path}: {part} of {len(bad)} clips hold NaN or infinite numbers (the first: "
                    f"{features.name[bad[0]]}); the backbone diverged or the clip is broken: "
                    "run `fsvae-pipe extract` again"
                )
        for clips in (features.train & ~features.held_out, features.held_out, ~features.train):
            if wrong := all_the_same(features.features[clips], features.action[clips]):
                raise DataError(
                    f"{path}: in one part {wrong}; run `fsvae-pipe extract` again, or import the right files"
                )
        features_of[name] = features
    return features_of


def phase_and_clips(name: PhaseName, split: Split, features: FeatureSet) -> tuple[Phase, PhaseClips]:
    """Return the actions of a phase, and masks over the clips of its features file."""
    phase = phase_of(name, split)
    return phase, phase_clips(phase, features)


def text_matrix(context: Context, levels: Sequence[str], actions: Sequence[int]) -> NDArray[np.float32]:
    """Return a text feature for each of `actions`: its `levels` concatenated, then L2-normalised. (actions, D_t).

    Raises DataError when text.h5 lacks an action or a level, when a text feature is all zero or not finite, or when all
    of `actions` have the same.
    """
    path = context.workspace.text
    text = read_text_features(path)
    without = missing_actions(actions, text.action.tolist())
    if without:
        raise DataError(f"{path}: no text of {without}; add it to the descriptions, then run `fsvae-pipe embed-text`")
    lacking = [level for level in levels if level not in text.features]
    if lacking:
        raise DataError(
            f"{path}: text.levels asks for {', '.join(lacking)}, the file holds {', '.join(text.features)}; "
            "run `fsvae-pipe embed-text`"
        )
    row = {int(action): index for index, action in enumerate(text.action)}
    rows = [row[action] for action in actions]
    try:
        joined = joined_levels([text.features[level][rows] for level in levels])
    except DataError as error:
        raise DataError(f"{path}: {error}; run `fsvae-pipe embed-text` again") from error
    try:
        require_told_apart(joined, [action_label(action) for action in actions])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return joined


def joined_levels(features: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Concatenate the features of all levels, each (actions, d), then L2-normalise: (actions, D_t).

    Raises DataError when one is all zero or not finite.
    """
    joined = np.concatenate(features, axis=1).astype(np.float64)
    length = np.linalg.norm(joined, axis=1, keepdims=True)
    if not np.isfinite(length).all() or not length.all():
        raise DataError("a text feature is all zero or not finite")
    normalised: NDArray[np.float32] = (joined / length).astype(np.float32)
    return normalised
