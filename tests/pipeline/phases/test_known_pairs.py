"""Unseen actions that are like an action that the backbone knows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from data.stores import h5
from data.stores.feature_store import KnownWeights, read_features, write_features
from data.stores.text_store import TextFeatures, read_text_features, write_text_features
from pipeline.phases.known_pairs import known_pairs, known_texts, near_actions
from pipeline.workspace.context import Context
from tests.shared.made_features import Made, made_workspace

LEVELS = ("label",)


def with_known(root: Path, likeness: float) -> Context:
    """A workspace whose backbone knows four actions of orthogonal texts; A003 is as near to the second as asked."""
    context = made_workspace(root, Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=3, test_clips=1))
    text = read_text_features(context.workspace.text)
    known = np.eye(4, 24, dtype=np.float32)
    own = np.eye(12, 24, 10, dtype=np.float32)  # like no known action
    own[2, 1] = likeness / (1 - likeness**2) ** 0.5
    texts = TextFeatures("made", np.array([1, 2, 5, 8]), {"label": known}, {"label": np.array(list("abcd"))})
    write_text_features(
        context.workspace.text,
        replace(text, features={"label": own}, known=texts),
        h5.read_record(context.workspace.text),
    )
    path = context.workspace.features("test")
    weights = KnownWeights(texts.action, np.ones((4, 48), np.float32))
    write_features(path, replace(read_features(path), known=weights), h5.read_record(path))
    return context


@pytest.mark.parametrize("likeness", [0.3, 0.5])
def test_an_unseen_action_with_a_text_like_a_known_one_is_named(tmp_path: Path, likeness: float) -> None:
    context = with_known(tmp_path, likeness)
    texts = known_texts(context, LEVELS, read_features(context.workspace.features("test")))
    assert texts is not None
    near = near_actions(context, LEVELS, (3, 7), texts)
    expected = {
        "action": "A003",
        "label": "label of action 2",
        "known_action": "A002",
        "known_label": "b",
        "likeness": 0.5,
    }
    assert near == ([expected] if likeness == 0.5 else [])


def test_training_needs_their_texts(tmp_path: Path) -> None:
    context = with_known(tmp_path, 0.5)
    features = read_features(context.workspace.features("test"))
    pairs = known_pairs(context, LEVELS, features)
    assert pairs is not None
    np.testing.assert_array_equal(pairs.texts, np.eye(4, 24))
    assert known_pairs(context, LEVELS, replace(features, known=None)) is None
    assert features.known is not None
    other = replace(features, known=replace(features.known, action=np.array([1, 2, 5, 9])))
    with pytest.raises(DataError, match=r"no texts of the 4 actions that the backbone knows; run `fsvae-pipe embed"):
        known_pairs(context, LEVELS, other)
