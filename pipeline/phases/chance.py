"""Do features and logits tell the seen actions apart better than a guess? Measured wherever answers are known.

`extract` and `import` say so at once, and keep it in the record of the features file. `evaluate` measures it where no
record tells. It puts these warnings among the caveats of results.json, and `predict` and `export` repeat them.
Letters: N clips, K seen actions, D numbers of a feature.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.stores.feature_store import FeatureSet
from models.column_deviation import column_deviation
from pipeline.phases.held_out import LEAST_CLIPS, at_chance
from pipeline.phases.phase import Mask, Phase, phase_clips
from pipeline.workspace.provenance import IMPORT, Provenance

WARNINGS = "warnings"  # the key in the record of features/PHASE.h5 (JSON) and in results.json: a list of sentences
MANY_EQUAL = 0.05  # of the clips
Record = Mapping[str, str]


@dataclass(frozen=True)
class Causes:
    """The likely cause when the logits, or the features, are hardly better than a guess: the end of a sentence."""

    logits: str
    features: str


ROWS = "the rows of features and of labels probably do not belong together"
GIVEN_WEIGHTS = "the weights in backbone.weights probably do not fit these clips (units, data set, preprocess.recipe)"
SHORT_TRAINING = "training was too short, or its learning rate wrong"
CAUSES = {
    "imported": Causes("the columns of the logits are probably not in the order of the actions", ROWS),
    "given": Causes(GIVEN_WEIGHTS, GIVEN_WEIGHTS),
    "trained": Causes(SHORT_TRAINING, SHORT_TRAINING),
}


def warnings_of(phase: Phase, features: FeatureSet, record: Record) -> list[str]:
    """The warnings in the record of a features file; when it has none, what its clips of known actions show.

    These are scored clips of seen actions. Raises DataError as `phase_clips` does.
    """
    if WARNINGS in record:
        return [str(sentence) for sentence in json.loads(record[WARNINGS])]
    clips = phase_clips(phase, features)
    return seen_warnings(phase, features, clips.fit, clips.seen, clips.seen, causes_of(record))


def causes_of(record: Record) -> Causes:
    """The causes that come into question for the features file with this record."""
    made = Provenance.from_record(record)
    if made.stage == IMPORT:
        return CAUSES["imported"]
    return CAUSES["given" if made.settings.get("backbone.weights") else "trained"]


def seen_warnings(
    phase: Phase, features: FeatureSet, fit: Mask, logit_clips: Mask, feature_clips: Mask, causes: Causes
) -> list[str]:
    """A sentence for each sign that nothing can be told from the logits or the features of a phase.

    The masks (N,) hold clips of seen actions. Logits are measured on `logit_clips`, which their classifier was not
    fitted to. Features are measured on `feature_clips`, by the nearest of the means of each action's `fit` clips.
    """
    classes, low = len(phase.seen), []
    consequence = cause = ""
    clips = int(logit_clips.sum())
    if clips >= LEAST_CLIPS and at_chance(top1 := logit_top1(phase, features, logit_clips), clips, classes):
        low.append(f"its logits name the right action for {top1:.1f} % of {clips} seen clips")
        consequence, cause = "seen accuracy, the gate and H mean nothing", causes.logits
    clips = int(feature_clips.sum())
    if clips >= LEAST_CLIPS and at_chance(top1 := nearest_mean_top1(features, fit, feature_clips), clips, classes):
        low.append(f"its features lie nearest to the mean of the right action for {top1:.1f} % of {clips} seen clips")
        consequence, cause = "no result means anything", causes.features
    found = _many_equal(phase, features)
    if low:
        found.append(
            f"the backbone of the {phase.name} phase is hardly better than a guess: {', and '.join(low)}, where a "
            f"guess among {classes} actions gives {100 / classes:.1f} %, so that {consequence}: {cause}"
        )
    return found


def logit_top1(phase: Phase, features: FeatureSet, clips: Mask) -> float:
    """The percentage of `clips` for which the logits of the seen actions name the right one."""
    return 100 * float((named(features, clips, phase.seen) == features.action[clips]).mean())


def named(features: FeatureSet, clips: Mask, actions: Collection[int]) -> NDArray[np.int64]:
    """The one of `actions` with the highest logit, for each of `clips`; actions without a column are left out."""
    columns = np.isin(features.logit_actions, list(actions))
    highest = features.logits[clips][:, columns].argmax(axis=1)
    found: NDArray[np.int64] = features.logit_actions[columns][highest]
    return found


def nearest_mean_top1(features: FeatureSet, fit: Mask, clips: Mask) -> float:
    """The percentage of `clips` that lie nearest to the mean of their own action's `fit` clips.

    Each number of a feature is divided by its standard deviation, so that a large one can't hide the others.
    """
    action = features.action
    actions = np.unique(action[fit])  # (K,)
    of_action = (features.features[fit & (action == wanted)] for wanted in actions)
    means = np.stack([rows.mean(axis=0, dtype=np.float64) for rows in of_action])  # (K, D)
    scale = column_deviation(features.features, fit)
    scale[scale == 0] = 1
    centre = means.mean(axis=0)  # any point near the clips, so that rounding does not count
    means = (means - centre) / scale
    points = (features.features[clips] - centre) / scale  # (clips, D)
    nearness = points @ means.T - np.square(means).sum(axis=1) / 2  # (clips, K) falls with the distance
    return 100 * float((actions[nearness.argmax(axis=1)] == action[clips]).mean())


def _many_equal(phase: Phase, features: FeatureSet) -> list[str]:
    """A warning when many clips have exactly the features of a clip of another action."""
    shown: dict[bytes, set[int]] = {}
    keys = [hashlib.blake2b(row, digest_size=16).digest() for row in np.ascontiguousarray(features.features)]
    for key, action in zip(keys, features.action.tolist(), strict=True):
        shown.setdefault(key, set()).add(action)
    equal = [name for key, name in zip(keys, features.name, strict=True) if len(shown[key]) > 1]
    if len(equal) < MANY_EQUAL * len(features):
        return []
    return [
        f"{len(equal)} of {len(features)} clips of the {phase.name} phase have exactly the features of a clip of "
        f"another action, the first {equal[0]}, so that they can't be told apart"
    ]
