"""The two phases of a zero-shot experiment, and which clips each of them may look at.

test  trains on the seen actions' training clips; scored on the test part: unseen actions (ZSL) and all (GZSL).
val   the same with the pseudo-unseen actions held out of the seen ones; needs no clip of the test part. Its scored
      clips are training clips of pseudo-unseen actions, and held-out training clips of the actions that it trains on.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.phase_names import PhaseName
from data.splits import Split, action_label
from data.stores.feature_store import FeatureSet

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Phase:
    """Which actions a phase trains on (`seen`) and which it must recognise from their texts alone (`unseen`)."""

    name: PhaseName
    seen: tuple[int, ...]
    unseen: tuple[int, ...]

    @property
    def actions(self) -> tuple[int, ...]:
        """All actions of the phase, sorted."""
        return tuple(sorted(self.seen + self.unseen))


@dataclass(frozen=True)
class PhaseClips:
    """Masks over the clips of a features file, each (n,): what FS-VAE trains on and what it is scored on."""

    fit: Mask
    seen: Mask
    unseen: Mask


def phase_of(name: PhaseName, split: Split) -> Phase:
    """The actions of the phase `name` under `split`."""
    if name == "test":
        return Phase(name, split.seen, split.unseen)
    seen = tuple(action for action in split.seen if action not in split.val_unseen)
    return Phase(name, seen, split.val_unseen)


def phase_clips(phase: Phase, features: FeatureSet) -> PhaseClips:
    """What `phase` may train on and be scored on. Raises DataError naming the part that has no clip."""
    is_seen, is_unseen = np.isin(features.action, phase.seen), np.isin(features.action, phase.unseen)
    if phase.name == "test":
        clips = PhaseClips(features.train & is_seen, ~features.train & is_seen, ~features.train & is_unseen)
    else:
        held_out = features.train & features.held_out
        clips = PhaseClips(features.train & ~held_out & is_seen, held_out & is_seen, features.train & is_unseen)
    empty = [part for part in ("fit", "seen", "unseen") if not getattr(clips, part).any()]
    if empty:
        raise DataError(
            f"the {phase.name} phase has no clip in its part {' and '.join(empty)}; check dataset.split and protocol"
        )
    require_clips(phase, features.action[clips.fit])
    return clips


def require_clips(phase: Phase, actions: NDArray[np.int64]) -> None:
    """Raise DataError naming the seen actions of `phase` that have no training clip among `actions`."""
    without = missing_actions(phase.seen, actions.tolist())
    if without:
        raise DataError(
            f"no training clip of {without}, which the {phase.name} phase trains on; "
            "check the raw files and dataset.split"
        )


def require_held_out(phase: Phase, actions: NDArray[np.int64]) -> None:
    """Raise DataError when none of the held-out clips' `actions` is a seen one of `phase`."""
    if not np.isin(actions, phase.seen).any():
        raise DataError(
            f"no training clip of the {phase.name} phase's seen actions can be held out, which measures the backbone "
            "and fits the gate: each of them has one training clip; record more clips, or let more subjects train"
        )


def missing_actions(wanted: Collection[int], found: Collection[int]) -> str:
    """The wanted actions that were not found, as text; "" when none is missing."""
    return ", ".join(action_label(action) for action in sorted(set(wanted) - set(found)))
