"""The gate of scores: ranks, the threshold, the distance, and that it is as good as the better of two constants."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zero_shot.metrics import auroc, harmonic_mean
from models.zero_shot.score_gate import (
    PlainScoreGate,
    ScoreGate,
    SeenDistance,
    equal_error_rate,
    gate_scores,
    relative_entropy,
    text_score,
)

ACTIONS = 4  # pseudo-unseen


def scores(seed: int, clips: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Scores of three scales, higher for unseen clips, and which clips are unseen."""
    generator = np.random.default_rng(seed)
    unseen = generator.random(clips) < 0.6
    unseen[:2] = True, False
    return (generator.normal(size=(clips, 3)) + 1.5 * unseen[:, None]) * [0.01, 1000, 3], unseen


def fitted(values: np.ndarray, unseen: np.ndarray) -> ScoreGate:
    """A gate for the phase that it is fitted to, whose backbone names every seen clip rightly."""
    return ScoreGate.fit(values, unseen, ACTIONS, values[~unseen])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_threshold_lies_at_one_half_and_keeps_the_order(seed: int) -> None:
    values, unseen = scores(seed)
    gate = fitted(values, unseen)
    rank, probability = gate.mean_rank(values), gate.probability(values)
    assert ((probability >= 0.5) == (rank >= gate.threshold)).all()
    order = np.argsort(rank)
    assert (np.diff(probability[order]) >= 0).all()
    assert probability.min() >= 0
    assert probability.max() <= 1
    taken = probability >= 0.5
    h = harmonic_mean(float((~taken)[~unseen].mean()), float(taken[unseen].mean()))
    assert h > 0.5  # always "seen" and always "unseen" have 0


def test_the_share_of_the_val_phase_holds_where_scores_are_larger() -> None:
    values, unseen = scores(5, clips=4000)
    at_home = fitted(values, unseen).probability(values)[~unseen] >= 0.5
    elsewhere, other_unseen = scores(6, clips=4000)
    elsewhere += [0.005, 500, 1.5]  # half a standard deviation: another backbone is less sure of every clip
    seen = elsewhere[~other_unseen]
    gate = ScoreGate.fit(values, unseen, ACTIONS, seen[::2])
    assert (gate.probability(seen[1::2]) >= 0.5).mean() == pytest.approx(at_home.mean(), abs=0.03)
    not_moved = fitted(values, unseen).probability(seen) >= 0.5
    assert not_moved.mean() > 1.5 * at_home.mean()


@pytest.mark.parametrize("apart", [0.3, 1.0, 2.0])
def test_of_many_actions_as_many_seen_clips_are_lost_as_unseen_ones(apart: float) -> None:
    generator = np.random.default_rng(0)
    seen, unseen = generator.normal(size=100_000), apart + generator.normal(size=100_000)
    of_scores = auroc(np.concatenate((seen, unseen)), np.repeat([False, True], 100_000)) / 100
    lost = equal_error_rate(of_scores, actions=1_000_000)
    assert (unseen < np.quantile(seen, 1 - lost)).mean() == pytest.approx(lost, abs=5e-3)


def test_two_actions_are_believed_by_halves() -> None:
    assert equal_error_rate(0.75, 1) == pytest.approx(equal_error_rate(0.75, 50))  # what is usual
    rates = [equal_error_rate(0.95, actions) for actions in (1, 2, 20)]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] == pytest.approx(NormalDist().cdf(-(1.6449 + 0.6745) / 2 / 2**0.5), abs=1e-4)


@given(st.floats(0, 1), st.integers(1, 200))
def test_a_share_is_never_none_or_more_than_half(of_scores: float, actions: int) -> None:
    assert 0.01 < equal_error_rate(of_scores, actions) <= 0.5


def test_ranks_need_no_scale() -> None:
    values, unseen = scores(1)
    first = fitted(values, unseen).probability(values)
    second = fitted(7 * values + 3, unseen).probability(7 * values + 3)
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_scores_that_are_all_equal_say_nothing_and_do_no_harm() -> None:
    values, unseen = scores(2)
    values[:, 0] = 4
    assert np.isfinite(fitted(values, unseen).probability(values)).all()


def test_far_outside_of_the_val_phase_a_rank_is_zero_or_one() -> None:
    values, unseen = scores(3)
    gate = fitted(values, unseen)
    np.testing.assert_allclose(gate.probability(np.array([[-1e9] * 3, [1e9] * 3])), [0, 1], atol=1e-9)


def test_onnx_form_is_the_same() -> None:
    values, unseen = scores(4)
    gate = fitted(values, unseen)
    seen = torch.rand(len(values), 5).softmax(dim=1)
    by_text = torch.rand(len(values), 8).softmax(dim=1)
    distance = torch.from_numpy(values[:, 1]).float()
    text = text_score(by_text.double().numpy(), 5)
    wanted = gate.probability(gate_scores(seen.double().numpy(), values[:, 1], text))
    np.testing.assert_allclose(PlainScoreGate(gate, 5)(seen, distance, by_text).numpy(), wanted, atol=1e-4)


def test_the_distance_is_that_of_mahalanobis() -> None:
    generator = np.random.default_rng(0)
    action = np.repeat(np.arange(3), 4000)
    means = np.array([[0.0, 0], [9, 0], [0, 9]])
    mixing = np.array([[2.0, 0.5], [0, 0.7]])
    features = (means[action] + generator.normal(size=(len(action), 2)) @ mixing).astype(np.float32)
    distance = SeenDistance.fit(features, action)
    clips = np.array([[1.0, 2], [20, 1]], np.float32)
    inverse = np.linalg.inv(mixing.T @ mixing)
    wanted = [min((clip - mean) @ inverse @ (clip - mean) for mean in means) for clip in clips]
    np.testing.assert_allclose(distance.of(clips), wanted, rtol=0.1)
    again = SeenDistance.from_arrays(distance.arrays())
    np.testing.assert_array_equal(again.of(clips), distance.of(clips))


@pytest.mark.parametrize("actions", [1, 2, 9, 11])
def test_the_entropy_says_the_same_whatever_the_number_of_actions_is(actions: int) -> None:
    undecided = np.full((1, actions), 1 / actions)
    sure = np.eye(actions)[:1]
    np.testing.assert_allclose(relative_entropy(undecided), 0 if actions == 1 else 1)
    np.testing.assert_allclose(relative_entropy(sure), 0, atol=1e-12)


def test_the_text_score_compares_the_best_of_either_kind() -> None:
    probabilities = np.array([[0.5, 0.1, 0.25, 0.15], [0.1, 0.1, 0.2, 0.6]])
    np.testing.assert_allclose(text_score(probabilities, 2), np.log([0.5, 6.0]))


@pytest.mark.parametrize(
    ("values", "positive", "percent"),
    [([1, 2, 3, 4], [0, 0, 1, 1], 100), ([1, 2, 3, 4], [0, 1, 0, 1], 75), ([2, 2, 2], [0, 1, 0], 50)],
)
def test_auroc(values: list[float], positive: list[int], percent: float) -> None:
    assert auroc(np.array(values, float), np.array(positive, bool)) == pytest.approx(percent)
