"""The held-out clips that the gate's threshold is found with."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.stores.feature_store import FeatureSet
from models.aligners.ridge import RidgeAligner
from models.fsvae.batches import TrainingData
from models.zero_shot.score_gate import SeenDistance, text_score
from pipeline.phases.phase import Phase
from pipeline.phases.scored_clips import PhaseParts
from pipeline.phases.scores import member_scores

TEST, VAL = Phase("test", (1, 3), (2,)), Phase("val", (1,), (3,))


def made(clips: int = 180, right: float = 0.8) -> FeatureSet:
    """Clips of three actions: a third is the test part, half of the others is held out. Some logits are `right`."""
    generator = np.random.default_rng(0)
    place = np.arange(clips)
    train = place // 3 % 3 > 0
    action = place % 3 + 1
    named = np.where(generator.random(clips) < right, action, 4 - action)  # A001 for A003 and the other way round
    return FeatureSet(
        name=np.array([f"clip {row}" for row in place]),
        action=action,
        train=train,
        held_out=train & (place // 3 % 3 == 1),
        features=generator.normal(size=(clips, 4)).astype(np.float32),
        logits=(named[:, None] == [3, 1]).astype(np.float32),
        logit_actions=np.array([3, 1]),
    )


def test_they_are_named_rightly_and_measured_without_themselves() -> None:
    features = made()
    held_out = PhaseParts.of(TEST, features).held_out()
    assert held_out is not None
    right = features.logit_actions[features.logits.argmax(axis=1)] == features.action
    rows = features.held_out & right
    assert rows.sum() < (features.held_out & (features.action != 2)).sum()
    np.testing.assert_array_equal(held_out.features, features.features[rows])
    np.testing.assert_array_equal(held_out.seen_logits, features.logits[rows][:, ::-1])  # A001, then A003
    others = features.train & ~features.held_out & (features.action != 2)
    without = SeenDistance.fit(features.features[others], (features.action[others] == 3).astype(np.int64))
    np.testing.assert_array_equal(held_out.distance, without.of(held_out.features))
    of_action = [features.train & (features.action == action) for action in TEST.seen]
    means = [features.features[rows].mean(axis=0) for rows in of_action]
    means_of_others = [features.features[rows & ~features.held_out].mean(axis=0) for rows in of_action]
    np.testing.assert_allclose(held_out.changes, np.subtract(means_of_others, means), atol=1e-6)


def test_the_val_phase_scores_them_itself() -> None:
    assert PhaseParts.of(VAL, made()).held_out() is None


@pytest.mark.parametrize(
    "features",
    [made(60), made(right=0.1), replace(made(), held_out=np.zeros(180, bool))],  # the last: published features
)
def test_too_few_say_nothing(features: FeatureSet) -> None:
    assert PhaseParts.of(TEST, features).held_out() is None


@pytest.mark.parametrize("seed", [0, 1])
def test_their_text_scores_are_about_those_of_an_aligner_that_did_not_learn_them(seed: int) -> None:
    """Few clips in 30 dimensions: each clip pulls the mean of its action far."""
    generator = np.random.default_rng(seed)
    seen, unseen, clips = tuple(range(1, 9)), (9, 10), 9
    texts = generator.normal(size=(10, 12)).astype(np.float32)
    action = np.repeat(np.arange(1, 11), clips)
    means = texts @ generator.normal(size=(12, 30)) * 0.4
    train = (action < 9) & (np.arange(90) % 9 < 8)
    features = FeatureSet(
        name=np.arange(90).astype(str),
        action=action,
        train=train,
        held_out=train & (np.arange(90) % 9 > 4),
        features=(means[action - 1] + generator.normal(size=(90, 30))).astype(np.float32),
        logits=np.eye(8, dtype=np.float32)[np.minimum(action - 1, 7)],  # all are named rightly
        logit_actions=np.array(seen),
    )
    parts = PhaseParts.of(Phase("test", seen, unseen), features)
    scoring = parts.scoring(parts.distance(), texts[:8], texts[8:])
    assert scoring.held_out is not None
    aligner = RidgeAligner()

    def text_scores(fit: np.ndarray, temperature: torch.Tensor | None = None) -> tuple[np.ndarray, torch.Tensor]:
        """By an aligner that is fitted to the clips in `fit`: those that `evaluate` takes, and the plain ones."""
        data = TrainingData(features.features[fit], action[fit] - 1, texts[:8])
        [state], _ = aligner.fit(data, (5, 0), torch.device("cpu"), lambda cycle, row: None)
        state["temperature"] = state["temperature"] if temperature is None else temperature
        plain = aligner.scorer(state, texts, (5, 0)).probabilities(features.features[features.held_out])
        taken = member_scores(scoring, aligner, [state], (5, 0), "scores").mean.held_out_text
        assert taken is not None
        return np.stack((taken, text_score(plain, 8))), state["temperature"]

    (taken, learnt), temperature = text_scores(train)
    (_, wanted), _ = text_scores(train & ~features.held_out, temperature)
    assert wanted.mean() - learnt.mean() > 1
    assert abs(taken.mean() - wanted.mean()) < 0.4 * (wanted.mean() - learnt.mean())
