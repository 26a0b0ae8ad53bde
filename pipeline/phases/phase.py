"""The two phases of a zero-shot experiment: which actions and clips each trains on and is scored on.

test  trains on training clips of the seen actions. It is scored on the test part: on clips of unseen actions (ZSL), and
      on all clips (GZSL).
val   trains on training clips of the seen actions that are not pseudo-unseen. It is scored on training clips of the
      pseudo-unseen actions, and on held-out training clips of the others. It uses no clip of the test part.
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
    """The actions that a phase trains on (`seen`), and those that it knows from their texts alone (`unseen`)."""

    name: PhaseName
    seen: tuple[int, ...]
    unseen: tuple[int, ...]

    @property
    def actions(self) -> tuple[int, ...]:
        """All actions of the phase, sorted."""
        return tuple(sorted(self.seen + self.unseen))


@dataclass(frozen=True)
class PhaseClips:
    """Masks (n,) over the clips of a features file."""

    fit: Mask  # an aligner trains on these
    seen: Mask  # scored, of seen actions
    unseen: Mask  # scored, of unseen actions


def phase_of(name: PhaseName, split: Split) -> Phase:
    """Return the actions of the phase `name` under `split`."""
    if name == "test":
        return Phase(name, split.seen, split.unseen)
    seen = tuple(action for action in split.seen if action not in split.val_unseen)
    return Phase(name, seen, split.val_unseen)


def phase_clips(phase: Phase, features: FeatureSet) -> PhaseClips:
    """Return the clips that `phase` trains on and is scored on.

    Raises DataError when one of the three parts has no clip, or a seen action has no training clip.
    """
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
    """Raise DataError when `actions`, those of the training clips, lack a seen action of `phase`."""
    without = missing_actions(phase.seen, actions.tolist())
    if without:
        raise DataError(
            f"no training clip of {without}, which the {phase.name} phase trains on; "
            "check the raw files, let a person who does it train, or make it an unseen action (dataset.unseen)"
        )


def require_held_out(phase: Phase, actions: NDArray[np.int64]) -> None:
    """Raise DataError when `actions`, those of the held-out clips, hold no seen action of `phase`."""
    if not np.isin(actions, phase.seen).any():
        raise DataError(
            f"each seen action of the {phase.name} phase has only one training clip, so that no clip can be held out "
            "to measure the backbone and fit the gate; record more clips, or let more subjects train"
        )


def missing_actions(wanted: Collection[int], present: Collection[int]) -> str:
    """Return the `wanted` actions that are not `present`, as text: "A003, A020", or "" when there are none."""
    return ", ".join(action_label(action) for action in sorted(set(wanted) - set(present)))
