"""`fsvae-pipe export --features`: writes the features as feature folders, which other programs read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PHASES, PhaseName
from data.published.features import FILES
from data.stores.feature_store import FeatureSet
from data.stores.files import replacing
from pipeline.phases.chance import warnings_of
from pipeline.phases.features_and_texts import phase_and_clips, read_phases, split_in_use
from pipeline.phases.phase import Mask, PhaseClips
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record

UNKNOWN_LOGIT = -1e4  # softmax makes it a probability of 0 at any temperature in use


def export_features(context: Context, folder: Path) -> list[Path]:
    """Write the features of both phases as feature folders in `folder`; return their paths.

    data/published/features.py describes the format. Logits have a column for every action up to the last one. The
    column of an action that the backbone does not know holds UNKNOWN_LOGIT. Scored clips of the val phase are training
    clips. Prints the warnings about features. Raises DataError when a features file is missing or broken.
    """
    features = read_phases(context)
    split = split_in_use(context.config, features)
    folders = []
    for name in PHASES:
        path = folder / f"shift_{'val_' if name == 'val' else ''}{len(split.unseen)}_r"
        phase, clips = phase_and_clips(name, split, features[name])
        for warning in warnings_of(phase, features[name], read_record(context.workspace.features(name))):
            context.console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
        _write_phase(path, features[name], _masks(name, clips), FILES[name], max(split.actions))
        folders.append(path)
    return folders


def _masks(name: PhaseName, clips: PhaseClips) -> dict[str, Mask]:
    """Which clips belong to each part of the feature folder of phase `name`."""
    scored = {"gtest": clips.seen | clips.unseen} if name == "test" else {"val": clips.seen}
    return {"train": clips.fit, "ztest": clips.unseen, **scored}


def _write_phase(
    folder: Path, features: FeatureSet, masks: Mapping[str, Mask], files: Mapping[str, tuple[str, ...]], actions: int
) -> None:
    logits = np.full((len(features), actions), UNKNOWN_LOGIT, np.float32)
    logits[:, features.logit_actions - 1] = features.logits
    for part, names in files.items():
        columns: tuple[NDArray[Any], ...] = (features.features, features.action - 1, logits)
        for name, column in zip(names, columns, strict=False):  # not every part has logits
            with replacing(folder / name) as partial, partial.open("wb") as file:
                np.save(file, column[masks[part]], allow_pickle=False)
