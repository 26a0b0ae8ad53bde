"""The gate: features by hand, thresholds by trying all, routing."""

import numpy as np
import pytest

from models.errors import ModelError
from models.gate import Gate, best_threshold, gate_features, route, softmax
from models.metrics import harmonic_mean


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
