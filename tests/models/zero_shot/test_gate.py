"""The gate: features by hand, thresholds by trying all, routing."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from models.errors import ModelError
from models.zero_shot.gate import Gate, best_threshold, fitted_clips, gate_features, route, softmax
from models.zero_shot.metrics import harmonic_mean


def test_softmax_at_a_temperature() -> None:
    scores = np.array([[0.0, np.log(4.0)], [1e4, 0.0]])
    np.testing.assert_allclose(softmax(scores), [[0.2, 0.8], [1.0, 0.0]])
    np.testing.assert_allclose(softmax(scores[:1], 2.0), [[1 / 3, 2 / 3]])


def test_features_are_sorted_and_cut() -> None:
    unseen, seen = np.array([[0.2, 0.5, 0.3]]), np.array([[0.1, 0.6, 0.05, 0.25]])
    np.testing.assert_allclose(gate_features(unseen, seen, 2), [[0.5, 0.3, 0.6, 0.25]])
    np.testing.assert_allclose(gate_features(unseen, seen, 3), [[0.5, 0.3, 0.2, 0.6, 0.25, 0.1]])


def test_gate_is_a_logistic_regression() -> None:
    generator = np.random.default_rng(0)
    unseen = np.arange(200) % 2 == 0
    features = generator.normal(size=(200, 3)) + 3 * unseen[:, None]
    gate = Gate.fit(features, unseen, c=1.0)
    probability = gate.probability(features)
    assert ((probability > 0.5) == unseen).mean() > 0.95
    # at the optimum the gradient of the penalised loss vanishes: sum of residuals, and C * residuals @ x = w
    np.testing.assert_allclose((unseen - probability).sum(), 0, atol=0.05)
    np.testing.assert_allclose((unseen - probability) @ features, gate.weights, atol=0.05)


def test_a_balanced_gate_does_not_know_how_many_clips_of_either_kind_there_are() -> None:
    generator = np.random.default_rng(2)
    unseen = np.arange(60) % 2 == 0
    features = generator.normal(size=(60, 3)) + unseen[:, None]
    many = np.concatenate([np.flatnonzero(~unseen), np.tile(np.flatnonzero(unseen), 9)])  # nine times the unseen clips
    even = Gate.fit(features, unseen, c=1e6).probability(features)
    np.testing.assert_allclose(Gate.fit(features[many], unseen[many], 1e6, True).probability(features), even, atol=1e-3)
    assert Gate.fit(features[many], unseen[many], 1e6).probability(features).mean() > even.mean() + 0.2


def test_the_public_codes_gate_is_ours_at_twice_its_c() -> None:
    """Softmax regression with two outputs, C = 1: the cross-entropies' sum, half the squared weights, not the bias."""
    generator = np.random.default_rng(1)
    unseen = np.arange(150) % 3 == 0
    features = np.sort(generator.dirichlet(np.ones(6), 150), axis=1)[:, ::-1] + 0.1 * unseen[:, None]
    ours = Gate.fit(features, unseen, c=2.0).probability(features)

    rows, kind = torch.tensor(features), torch.tensor(unseen.astype(np.int64))
    weights = torch.zeros((2, 6), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=1000, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        total = cross_entropy(rows @ weights.T + bias, kind, reduction="sum") + 0.5 * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total.item()

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    published = (rows @ weights.T + bias).softmax(dim=1)[:, 1].detach().numpy()
    np.testing.assert_allclose(ours, published, atol=1e-3)
    assert np.abs(Gate.fit(features, unseen, c=1.0).probability(features) - published).max() > 0.01


def test_clips_that_are_held_out_are_a_share_of_either_kind() -> None:
    unseen = np.arange(1000) < 37
    fitted, again, other = (fitted_clips(unseen, 0.2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert ((~fitted & unseen).sum(), (~fitted & ~unseen).sum()) == (37 // 5, 963 // 5)
    assert np.array_equal(fitted, again)
    assert not np.array_equal(fitted, other)
    assert fitted_clips(unseen, 0.0, np.random.default_rng(0)).all()
    few = fitted_clips(np.array([True, False]), 0.99, np.random.default_rng(0))
    assert few.all()


def test_gate_needs_both_kinds() -> None:
    with pytest.raises(ModelError, match="only one kind"):
        Gate.fit(np.zeros((4, 2)), np.ones(4, dtype=bool), c=1.0)


@pytest.mark.parametrize("seed", range(5))
def test_best_threshold_is_the_best_of_all(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 12, size=60) / 12  # with ties
    unseen, seen_right, unseen_right = generator.random((3, 60)) < 0.6

    def h(threshold: float) -> float:
        taken = scores >= threshold
        return harmonic_mean(float((seen_right & ~taken)[~unseen].mean()), float((unseen_right & taken)[unseen].mean()))

    best = best_threshold(scores, unseen, seen_right, unseen_right)
    assert h(best) == pytest.approx(max(h(threshold) for threshold in np.linspace(-0.1, 1.1, 200)))


def test_routes() -> None:
    unseen, seen = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.7, 0.2, 0.1], [0.1, 0.0, 0.9]])
    gate = np.array([0.5, 0.2])
    column, is_unseen = route("hard", unseen, seen, gate, 0.5)
    assert (column.tolist(), is_unseen.tolist()) == ([0, 2], [True, False])
    column, is_unseen = route("soft", unseen, seen, gate, 0.0)  # 0.45 against 0.35, 0.12 against 0.72
    assert (column.tolist(), is_unseen.tolist()) == ([0, 2], [True, False])
    column, is_unseen = route("stacking", unseen, seen, gate, 0.4)  # 0.9 against 0.3, 0.6 against 0.5
    assert (column.tolist(), is_unseen.tolist()) == ([0, 1], [True, True])


def test_seen_and_unseen_are_told_apart_by_the_scores() -> None:
    rng = np.random.default_rng(1)
    unseen, seen = rng.dirichlet(np.ones(4), 30), rng.dirichlet(np.ones(9), 30)
    column, is_unseen = route("hard", unseen, seen, rng.random(30), 0.5)
    assert (column[is_unseen] < 4).all()
    assert (column < 9).all()
