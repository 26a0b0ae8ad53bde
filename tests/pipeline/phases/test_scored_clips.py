"""The held-out clips that the gate's threshold is found with."""

from dataclasses import replace

import numpy as np
import pytest

from data.stores.feature_store import FeatureSet
from models.zero_shot.score_gate import SeenDistance
from pipeline.phases.phase import Phase
from pipeline.phases.scored_clips import PhaseParts

TEST, VAL = Phase("test", (1, 3), (2,)), Phase("val", (1,), (3,))


def made(clips: int = 120) -> FeatureSet:
    """Clips of three actions: a third is the test part, a third of the others is held out."""
    generator = np.random.default_rng(0)
    place = np.arange(clips)
    train = place // 3 % 3 > 0
    return FeatureSet(
        name=np.array([f"clip {row}" for row in place]),
        action=place % 3 + 1,
        train=train,
        held_out=train & (place // 3 % 3 == 1),
        features=generator.normal(size=(clips, 4)).astype(np.float32),
        logits=generator.normal(size=(clips, 2)).astype(np.float32),
        logit_actions=np.array([3, 1]),
    )


def test_they_are_seen_and_measured_without_themselves() -> None:
    features = made()
    held_out = PhaseParts.of(TEST, features).held_out()
    assert held_out is not None
    rows = features.held_out & (features.action != 2)
    np.testing.assert_array_equal(held_out.features, features.features[rows])
    np.testing.assert_array_equal(held_out.seen_logits, features.logits[rows][:, ::-1])  # A001, then A003
    others = features.train & ~features.held_out & (features.action != 2)
    without = SeenDistance.fit(features.features[others], (features.action[others] == 3).astype(np.int64))
    np.testing.assert_array_equal(held_out.distance, without.of(held_out.features))


def test_the_val_phase_scores_them_itself() -> None:
    assert PhaseParts.of(VAL, made()).held_out() is None


@pytest.mark.parametrize("clips", [60, 0])
def test_too_few_say_nothing(clips: int) -> None:
    features = made(clips) if clips else replace(made(), held_out=np.zeros(120, bool))  # 0: published features
    assert PhaseParts.of(TEST, features).held_out() is None
