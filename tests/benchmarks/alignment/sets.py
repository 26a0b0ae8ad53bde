"""Random sets of unseen actions, and what a phase trains on and is scored on with one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PhaseName
from data.splits import Split
from data.stores.feature_store import FeatureSet
from models.fsvae.batches import TrainingData
from pipeline.phases.phase import phase_of
from pipeline.phases.scored_clips import PhaseParts
from pipeline.phases.scores import PhaseScoring
from pipeline.stages.given_backbone import fit_head
from tests.benchmarks.alignment.clips import Texts

HELD_OUT = 0.2  # of the training clips


def drawn_split(action: NDArray[np.int64], number: int, unseen: int, val_unseen: int) -> Split:
    """The set of unseen and pseudo-unseen actions with this number."""
    actions = np.random.default_rng([7, number]).permutation(np.unique(action)).tolist()
    parts = actions[:unseen], actions[unseen : unseen + val_unseen], actions[unseen:]
    drawn, held_back, seen = (tuple(sorted(part)) for part in parts)
    return Split("custom", seen, drawn, held_back, True)


def phase_parts(
    name: PhaseName,
    split: Split,
    features: Texts,
    action: NDArray[np.int64],
    train: NDArray[np.bool_],
    held_out: NDArray[np.bool_],
    texts: Mapping[int, Texts],
) -> tuple[TrainingData, PhaseScoring]:
    """What a phase trains on and is scored on, with a classifier of its seen actions fitted here."""
    phase = phase_of(name, split)
    known = train & ~held_out & np.isin(action, phase.seen)
    logits, _ = fit_head(features, action, known)
    names = np.array([str(row) for row in range(len(action))])
    clips = FeatureSet(names, action, train, held_out, features, logits, np.array(phase.seen))
    parts = PhaseParts.of(phase, clips)
    row = np.searchsorted(phase.seen, parts.trained_on.action)
    seen_texts, unseen_texts = (np.stack([texts[one] for one in kind]) for kind in (phase.seen, phase.unseen))
    data = TrainingData(parts.trained_on.features, row, seen_texts)
    return data, parts.scoring(parts.distance(), seen_texts, unseen_texts)
