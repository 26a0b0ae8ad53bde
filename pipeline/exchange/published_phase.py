"""Checks the parts of a published feature folder against the split, and makes the clips of a phase of them.

The scored parts are gtest in the test phase, val and ztest in the val phase. The part train comes without logits; its
clips get zeros, which nothing reads, since only the logits of scored clips are used.
"""

from collections.abc import Collection, Sequence

import numpy as np

from data.errors import DataError
from data.published.features import Part, unmatched
from data.splits import action_label
from data.stores.feature_store import FeatureSet
from pipeline.phases.chance import named
from pipeline.phases.phase import Phase, missing_actions, phase_clips

KNOWN_SHARE = 0.2  # a backbone that names this share of an unseen action's clips right was trained on that action
LEAVE_OUT = "ztest is only a check; a folder without ztest.npy and z_label.npy can be imported"


def feature_set(phase: Phase, parts: dict[str, Part], num_actions: int) -> FeatureSet:
    """The clips of `phase` out of the `parts` of its folder; the data set has `num_actions`.

    Raises DataError when a part does not fit the split or another part.
    """
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
    used = [train, *scored]
    in_train = np.arange(sum(len(part) for part in used)) < len(train)
    features = FeatureSet(
        name=np.array([name for part in used for name in part.names()]),
        action=np.concatenate([part.action for part in used]),
        train=in_train if phase.name == "test" else np.ones_like(in_train),
        held_out=np.zeros_like(in_train) if phase.name == "test" else ~in_train,
        features=np.concatenate([part.features for part in used]),
        logits=np.concatenate([np.zeros((len(train), logits.shape[1]), np.float32), logits]),
        logit_actions=np.asarray(_logit_actions(phase, scored[0], num_actions), dtype=np.int64),
    )
    phase_clips(phase, features)
    return features


def _require(part: Part, actions: Collection[int], relation: str, *, every: bool) -> None:
    """Raise DataError when `part` has clips of other actions than `actions`, or (with `every`) lacks one of them.

    `relation` says in the message what these actions are to the phase, as in "the val phase trains on".
    """
    other = missing_actions(part.counts(), actions)
    if other:
        raise DataError(
            f"{part.label_path}: has clips of {other} (label 0 is {action_label(1)}), which are not among the "
            f"{len(actions)} actions that {relation}; check dataset.split, or whether this is the folder of another "
            "split"
        )
    lacking = missing_actions(actions, part.counts()) if every else ""
    if lacking:
        raise DataError(
            f"{part.label_path}: has no clip of {lacking}, which {relation}; check dataset.split, or whether this is "
            "the folder of another split"
        )


def _require_same_clips(ztest: Part, gtest: Part) -> None:
    """Raise DataError unless `ztest` holds exactly the unseen clips of `gtest`."""
    in_gtest = gtest.counts()
    wrong = [action_label(action) for action, count in ztest.counts().items() if in_gtest[action] != count]
    if wrong:
        raise DataError(
            f"{ztest.label_path} and {gtest.label_path} differ in their number of clips of {', '.join(wrong)}: "
            f"ztest must hold the same test clips of the unseen actions as gtest. {LEAVE_OUT}"
        )
    different = unmatched(ztest, gtest)
    if different:
        raise DataError(
            f"{ztest.path}: {different} of {len(ztest)} clips are not in {gtest.path.name}; the two files come from "
            f"different backbones or splits. {LEAVE_OUT}"
        )


def _logit_actions(phase: Phase, part: Part, num_actions: int) -> Sequence[int]:
    """The action of each column of logits: all actions of the data set, or those that the phase trains on.

    Raises DataError when the number of columns fits neither.
    """
    columns = part.logits.shape[1]
    for actions in (range(1, num_actions + 1), phase.seen):
        if columns == len(actions):
            return actions
    raise DataError(
        f"{part.path.with_name(part.path.stem + '_out.npy')}: has {columns} columns; it must have one for each of the "
        f"{num_actions} actions, or one for each of the {len(phase.seen)} that the {phase.name} phase trains on"
    )


def known_unseen(phase: Phase, features: FeatureSet) -> list[int]:
    """The unseen actions that the logits recognise: the backbone must have been trained on them.

    A classifier's logit for an action that it was not trained on is hardly ever the highest one.
    """
    clips = phase_clips(phase, features).unseen
    actual, predicted = features.action[clips], named(features, clips, phase.actions)
    return [a for a in phase.unseen if float((predicted == a)[actual == a].mean()) >= KNOWN_SHARE]
