"""The known actions of a given backbone as the stages stored them, and which unseen actions are like one of them.

An unseen action is not zero-shot for a backbone that was trained on an action like it. The likeness of two actions is

    (cosine of their texts - m) / (1 - m)

where m is the mean cosine of two known actions. It is 0 for actions as unlike as two known ones are on average, and 1
for equal texts, so that it can be compared between text encoders.
Letters: K known actions, U unseen actions, D_t size of a text feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.splits import action_label
from data.stores.feature_store import FeatureSet
from data.stores.text_store import TextFeatures, read_text_features
from models.known_actions import KnownActions
from pipeline.phases.features_and_texts import joined_levels, text_matrix
from pipeline.phases.known_actions import KNOWN_SOURCE
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import LEARNT_KNOWN, read_record

NEAR = 0.35  # likeness from which an unseen action is named; docs/fs-vae.md says what it was chosen on


@dataclass(frozen=True)
class KnownTexts:
    """The texts of the known actions (K,): their features (K, D_t) and, where there are, their labels."""

    action: NDArray[np.int64]
    features: NDArray[np.float32]
    labels: Sequence[str]


def known_pairs(context: Context, levels: Sequence[str], features: FeatureSet) -> KnownActions | None:
    """Return what training can learn from the backbone's known actions; None when it knows none.

    Raises DataError when text.h5 lacks their texts.
    """
    if features.known is None:
        return None
    texts = known_texts(context, levels, features)
    if texts is None:
        raise DataError(
            f"{context.workspace.text}: has no texts of the {len(features.known.action)} actions that the backbone "
            "knows; run `fsvae-pipe embed-text`, or, when the file is imported, set backbone.known = "
            '"none" and run `fsvae-pipe run`'
        )
    return KnownActions(features.known.weight, texts.features)


def known_texts(context: Context, levels: Sequence[str], features: FeatureSet) -> KnownTexts | None:
    """Read the texts of the known actions of `features` from text.h5; None when it has none, or those of others."""
    stored = read_text_features(context.workspace.text).known
    if stored is None or features.known is None or not np.array_equal(stored.action, features.known.action):
        return None
    if any(level not in stored.features for level in levels):
        return None
    joined = joined_levels([stored.features[level] for level in levels])
    return KnownTexts(stored.action, joined, _labels(stored))


def known_in_results(
    context: Context, levels: Sequence[str], unseen: Sequence[int], features: FeatureSet
) -> dict[str, Any] | None:
    """Return what results.json says of the actions that the backbone knows; None when it knows none by name.

    `unseen` and `features` are those of the test phase.
    """
    if features.known is None:
        return None
    texts = known_texts(context, levels, features)
    return {
        "source": read_record(context.workspace.features("test")).get(KNOWN_SOURCE, ""),
        "number": len(features.known.action),
        "learnt_from": LEARNT_KNOWN in read_record(context.run.model),
        "near": near_actions(context, levels, unseen, texts) if texts else None,
    }


def near_actions(context: Context, levels: Sequence[str], unseen: Sequence[int], known: KnownTexts) -> list[Any]:
    """Return each unseen action that is like a known one, the most alike first, as results.json has it."""
    text = read_text_features(context.workspace.text)
    label = dict(zip(text.action.tolist(), _labels(text), strict=True))
    alike = likeness(text_matrix(context, levels, unseen), known.features)  # (U, K)
    found = [
        {
            "action": action_label(action),
            "label": label[action],
            "known_action": action_label(int(known.action[row.argmax()])),
            "known_label": known.labels[row.argmax()],
            "likeness": round(float(row.max()), 3),
        }
        for action, row in zip(unseen, alike, strict=True)
        if row.max() >= NEAR
    ]
    return sorted(found, key=lambda near: -near["likeness"])


def likeness(unseen: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float64]:
    """The likeness of actions by their texts, (U, D_t) and (K, D_t), both of length 1 -> (U, K)."""
    between = known.astype(np.float64) @ known.T  # (K, K)
    mean = between[~np.eye(len(between), dtype=bool)].mean()
    return np.asarray((unseen.astype(np.float64) @ known.T - mean) / max(1 - mean, 1e-12))


def _labels(text: TextFeatures) -> list[str]:
    """The label of each action; "" where text.h5 holds no labels."""
    return text.texts["label"].tolist() if "label" in text.texts else [""] * len(text.action)
