"""What a backbone knows of another data set becomes examples in the feature space, for the ridge and for FS-VAE."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from models.aligners.protocol import Aligner, State
from models.aligners.ridge import STRENGTHS, RidgeAligner
from models.errors import ModelError
from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace, class_means
from models.fsvae.batches import TrainingData
from models.fsvae.known_clips import with_known_clips
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.training import train_member
from models.known_actions import KnownActions

CPU = torch.device("cpu")
SEEN, KNOWN, UNSEEN, SIZE, TEXT = 4, 40, 6, 24, 10


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def made(seed: int = 0) -> tuple[TrainingData, NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Few seen actions and many known ones; then the texts, clips and actions of unseen ones. Texts predict motion."""
    generator = np.random.default_rng(seed)
    texts = unit(generator.normal(size=(SEEN + KNOWN + UNSEEN, TEXT)))
    means = texts @ generator.normal(size=(TEXT, SIZE))
    row = np.repeat(np.arange(len(texts)), 6)
    clips = (means[row] + 0.1 * generator.normal(size=(len(row), SIZE)) + 3).astype(np.float32)
    known = slice(SEEN, SEEN + KNOWN)
    actions = KnownActions(means[known].astype(np.float32), texts[known])
    seen, unseen = row < SEEN, row >= SEEN + KNOWN
    data = TrainingData(clips[seen], row[seen], texts[:SEEN], actions)
    return data, texts[SEEN + KNOWN :], clips[unseen], row[unseen] - SEEN - KNOWN


def fitted(aligner: Aligner, data: TrainingData) -> State:
    return aligner.fit(data, (5, 0), CPU, lambda cycle, row: None)[0][-1]


@pytest.mark.parametrize("kind", ["standardised", "half-whitened", "whitened"])
def test_a_known_action_is_where_its_logit_rises(kind: FeatureKind) -> None:
    """In the space, the direction of a class gives every clip the logit that the classifier gives it."""
    data, *_ = made()
    assert data.known is not None
    space = FeatureSpace.fit(data.skeletons, data.text_row, kind)
    clips = space(torch.from_numpy(data.skeletons)).double()
    means = torch.from_numpy(class_means(clips.numpy(), data.text_row))
    features = data.known.features(space, means)
    np.testing.assert_allclose(features.norm(dim=1), means.norm(dim=1).mean(), rtol=1e-6)
    weight = data.known.weight.astype(float) - data.known.weight.astype(float).mean(axis=0)
    logits = (data.skeletons - space.centre.numpy()) @ weight.T  # (N, K)
    scale = (logits / (clips @ features.T).numpy()).mean(axis=0)
    np.testing.assert_allclose((clips @ features.T).numpy() * scale, logits, rtol=1e-3, atol=1e-3)
    assert (scale > 0).all()


def test_the_ridge_is_the_regression_on_both() -> None:
    data, *_ = made()
    assert data.known is not None
    state = fitted(RidgeAligner("standardised"), data)
    space = FeatureSpace.fit(data.skeletons, data.text_row, "standardised")
    means = class_means(space(torch.from_numpy(data.skeletons)).numpy(), data.text_row)
    targets = np.concatenate((means, data.known.features(space, torch.from_numpy(means))))
    texts = np.concatenate([rows - rows.mean(axis=0) for rows in (data.texts, data.known.texts)])
    strength = state["strength"].item()
    assert any(strength == pytest.approx(tried) for tried in STRENGTHS)
    plain = Ridge(strength * (texts**2).sum(axis=1).mean(), fit_intercept=False).fit(texts, targets)
    np.testing.assert_allclose(state["weight"].numpy(), plain.coef_.T, rtol=1e-3, atol=1e-4)
    assert state["text_mean"].numpy() == pytest.approx(data.texts.mean(axis=0), abs=1e-6)


def test_unseen_actions_are_named_better_than_by_few_seen_ones_alone() -> None:
    right = []
    for seed in range(8):
        data, texts, clips, action = made(seed)
        for given in (replace(data, known=None), data):
            scorer = RidgeAligner().scorer(fitted(RidgeAligner(), given), texts, (5, 0, 1))
            right.append((scorer.probabilities(clips).argmax(axis=1) == action).mean())
    alone, with_known = np.mean(right[::2]), np.mean(right[1::2])
    assert with_known > alone + 0.2


def test_made_clips_stand_behind_the_real_ones_where_the_space_puts_the_action() -> None:
    data, *_ = made()
    assert data.known is not None
    space = FeatureSpace.fit(data.skeletons, data.text_row, "half-whitened")
    joined = with_known_clips(data, space)
    real = len(data.skeletons)
    times = (len(joined.skeletons) - real) // KNOWN
    assert times == 2  # a third of the six clips of a seen action
    np.testing.assert_array_equal(joined.skeletons[:real], data.skeletons)
    np.testing.assert_array_equal(joined.text_row[real:], SEEN + np.repeat(np.arange(KNOWN), times))
    np.testing.assert_array_equal(joined.texts[SEEN:], data.known.texts)
    means = torch.from_numpy(class_means(space(torch.from_numpy(data.skeletons)).numpy(), data.text_row))
    back = space(torch.from_numpy(joined.skeletons[real::times]))
    np.testing.assert_allclose(back.numpy(), data.known.features(space, means), rtol=1e-3, atol=1e-3)
    alone = replace(data, known=None)
    assert with_known_clips(alone, space) is alone


def test_fsvae_learns_from_them_unless_the_features_stay_as_given() -> None:
    data, *_ = made()
    settings = TrainSettings(cycles=1, steps_per_cycle=3, batch_size=8)
    for kind, same in (("given", True), ("half-whitened", False)):
        model = ModelSettings(features=kind, latent=4)
        (alone,), _ = train_member(replace(data, known=None), model, settings, (5, 0), CPU)
        (with_known,), _ = train_member(data, model, settings, (5, 0), CPU)
        assert all(torch.equal(alone[name], with_known[name]) for name in alone) == same
        if not same:  # the clips alone fit the space
            assert torch.equal(alone["space.matrix"], with_known["space.matrix"])
    ridges = [fitted(RidgeAligner("given"), part)["weight"] for part in (data, replace(data, known=None))]
    assert torch.equal(*ridges)


@pytest.mark.parametrize(("weights", "texts", "fault"), [(3, 4, "the same number"), (1, 1, "2 or more"), (3, 3, "NaN")])
def test_parts_that_do_not_belong_together_are_refused(weights: int, texts: int, fault: str) -> None:
    weight = np.ones((weights, 5), np.float32)
    weight[0, 0] = np.nan if fault == "NaN" else 0
    with pytest.raises(ModelError, match=fault):
        KnownActions(weight, np.ones((texts, 7), np.float32))
