"""What a published folder holds, checked against the split and turned into the clips of a phase.

Scored are gtest (test phase), and val with ztest (val phase). train comes without logits. Its clips get zeros, which
nothing reads: only scored clips' logits are used.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.published.features import Part, unmatched
from data.splits import action_label
from data.stores.feature_store import FeatureSet
from pipeline.phases.phase import Phase, missing_actions, phase_clips

KNOWN_SHARE = 0.2  # of an unseen action's clips named right by the logits, from which on the backbone has seen it
LEAVE_OUT = "It is only compared; a folder without ztest.npy and z_label.npy can be imported"


def feature_set(phase: Phase, parts: dict[str, Part], num_actions: int) -> FeatureSet:
    """One phase's clips, checked; the data set has `num_actions`. Raises DataError."""
    train = parts["train"]
    _require(train, phase.seen, f"the {phase.name} phase trains on", every=True)
    if "ztest" in parts:
        _require(parts["ztest"], phase.unseen, f"are unseen in the {phase.name} phase", every=True)
    if phase.name == "test":
        scored = [parts["gtest"]]
        _require(parts["gtest"], phase.actions, "the split divides", every=True)
        if "ztest" in parts:
            _require_same_clips(parts["ztest"], parts["gtest"])
    else:
        scored = [parts["val"], parts["ztest"]]
        _require(parts["val"], phase.seen, "the val phase trains on", every=False)
    logits = np.concatenate([part.logits for part in scored])
    everything = [train, *scored]
    is_fit = np.arange(sum(len(part) for part in everything)) < len(train)
    features = FeatureSet(
        name=np.array([name for part in everything for name in part.names()]),
        action=np.concatenate([part.action for part in everything]),
        train=is_fit if phase.name == "test" else np.ones_like(is_fit),
        held_out=np.zeros_like(is_fit) if phase.name == "test" else ~is_fit,
        features=np.concatenate([part.features for part in everything]),
        logits=np.concatenate([np.zeros((len(train), logits.shape[1]), np.float32), logits]),
        logit_actions=np.asarray(_logit_actions(phase, scored[0], num_actions), dtype=np.int64),
    )
    phase_clips(phase, features)
    return features


def _require(part: Part, wanted: Collection[int], what: str, *, every: bool) -> None:
    """Raise DataError when clips of `part` show other actions than `wanted`, or (with `every`) lack one of them."""
    other = missing_actions(part.counts(), wanted)
    if other:
        raise DataError(
            f"{part.label_path}: has clips of {other} (label 0 is {action_label(1)}), which are not among the "
            f"{len(wanted)} actions that {what}; check dataset.split, or whether this is the folder of another split"
        )
    lacking = missing_actions(wanted, part.counts()) if every else ""
    if lacking:
        raise DataError(
            f"{part.label_path}: has no clip of {lacking}, which {what}; check dataset.split, or whether this is the "
            "folder of another split"
        )


def _require_same_clips(ztest: Part, gtest: Part) -> None:
    """Raise DataError unless `ztest` holds just the unseen clips of `gtest`."""
    twice = gtest.counts()
    wrong = [action_label(action) for action, count in ztest.counts().items() if twice[action] != count]
    if wrong:
        raise DataError(
            f"{ztest.label_path} and {gtest.label_path} differ in their number of clips of {', '.join(wrong)}: "
            f"ztest is wanted to hold the same test clips of the unseen actions as gtest. {LEAVE_OUT}"
        )
    different = unmatched(ztest, gtest)
    if different:
        raise DataError(
            f"{ztest.path}: {different} of {len(ztest)} clips are not in {gtest.path.name}; the two are not of one "
            f"backbone, or not of one split. {LEAVE_OUT}"
        )


def _logit_actions(phase: Phase, part: Part, num_actions: int) -> Sequence[int]:
    """The action of each column of logits: all actions of the data set, or the ones trained on, in order."""
    columns = part.logits.shape[1]
    for actions in (range(1, num_actions + 1), phase.seen):
        if columns == len(actions):
            return actions
    raise DataError(
        f"{part.path.with_name(part.path.stem + '_out.npy')}: has {columns} columns, where one for each of the "
        f"{num_actions} actions, or for each of the {len(phase.seen)} that the {phase.name} phase trains on, is wanted"
    )


def seen_accuracy(phase: Phase, features: FeatureSet) -> float:
    """How often the logits of the seen actions name the right one, over the scored seen clips."""
    clips = phase_clips(phase, features).seen
    return float((_named(features, clips, phase.seen) == features.action[clips]).mean())


def known_unseen(phase: Phase, features: FeatureSet) -> list[int]:
    """The unseen actions that the logits recognise, so that the backbone must have been trained on them.

    The classifier's output for an action that it was not trained on hardly ever wins.
    """
    clips = phase_clips(phase, features).unseen
    action, named = features.action[clips], _named(features, clips, phase.actions)
    return [a for a in phase.unseen if float((named == a)[action == a].mean()) >= KNOWN_SHARE]


def _named(features: FeatureSet, clips: NDArray[np.bool_], actions: Collection[int]) -> NDArray[np.int64]:
    """Which of `actions` the logits name for each of `clips`; actions without a column are left out."""
    columns = np.isin(features.logit_actions, list(actions))
    named: NDArray[np.int64] = features.logit_actions[columns][features.logits[clips][:, columns].argmax(axis=1)]
    return named
