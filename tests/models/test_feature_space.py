"""The feature space does what its docstring says, whatever the features are."""

import tracemalloc

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf as ledoit_wolf_of_scikit_learn
from threadpoolctl import threadpool_limits

from models.column_deviation import column_deviation
from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace, class_means, ledoit_wolf

ACTION = np.repeat(np.arange(4), (30000, 20000, 10000, 5000))


def clips(seed: int = 0) -> NDArray[np.float32]:
    """Clips whose people differ far more in some directions than in others, and a dimension that never changes."""
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(6, 6)) * [0.1, 0.3, 1, 3, 5, 9]
    means = 4 * generator.normal(size=(4, 6))
    rows = means[ACTION] + generator.normal(size=(len(ACTION), 6)) @ mixing.T + 7
    return np.concatenate((rows, np.full((len(rows), 1), 3.0)), axis=1).astype(np.float32)


def within(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The covariance of clips around the mean of their action."""
    return np.asarray(np.cov(rows - class_means(rows, ACTION)[ACTION], rowvar=False))


def fitted(kind: FeatureKind) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = FeatureSpace.fit(clips(), ACTION, kind)(torch.from_numpy(clips())).numpy()
    return rows


@pytest.mark.parametrize("kind", ["given", "standardised", "half-whitened", "whitened"])
def test_the_mean_of_the_class_means_is_zero(kind: FeatureKind) -> None:
    np.testing.assert_allclose(class_means(fitted(kind), ACTION).mean(axis=0), 0, atol=1e-3)


def test_as_given_features_are_only_centred() -> None:
    centre = class_means(clips(), ACTION).mean(axis=0)
    np.testing.assert_allclose(fitted("given"), clips() - centre, atol=1e-5)


def test_standardised_features_have_a_deviation_of_one() -> None:
    np.testing.assert_allclose(fitted("standardised")[:, :6].std(axis=0), 1, rtol=1e-4)


def test_whitened_clips_of_an_action_differ_alike_in_every_direction() -> None:
    np.testing.assert_allclose(within(fitted("whitened"))[:6, :6], np.eye(6), atol=0.1)


def test_half_whitened_lies_between() -> None:
    spread = {kind: np.linalg.cond(within(fitted(kind)[:, :6])) for kind in ("standardised", "half-whitened")}
    assert spread["half-whitened"] == pytest.approx(spread["standardised"] ** 0.5, rel=0.1)


def test_one_clip_an_action_is_enough() -> None:
    rows = clips()[[0, 30000, 50000, 60000]]
    space = FeatureSpace.fit(rows, np.arange(4), "whitened")
    assert torch.isfinite(space(torch.from_numpy(rows))).all()


@pytest.mark.parametrize("shape", [(2000, 40), (20, 48), (2, 7), (9, 1)])
def test_the_covariance_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(shape)
    rows = generator.normal(size=shape) @ generator.normal(size=(shape[1], shape[1]))
    expected, _ = ledoit_wolf_of_scikit_learn(rows, assume_centered=True)
    np.testing.assert_allclose(ledoit_wolf(rows), expected, rtol=1e-10)


def test_equal_rows_have_a_covariance() -> None:
    np.testing.assert_array_equal(ledoit_wolf(np.zeros((5, 3))), np.zeros((3, 3)))


@pytest.mark.parametrize("columns", [1, 32, 33, 100])
def test_the_deviation_of_columns_is_that_of_numpy(columns: int) -> None:
    rows = np.random.default_rng(columns).normal(3, 2, size=(3000, columns)).astype(np.float32)
    chosen = np.arange(3000) % 3 > 0
    np.testing.assert_array_equal(column_deviation(rows, chosen), rows[chosen].std(axis=0, dtype=np.float64))


def test_memory_is_little_more_than_that_of_the_clips_as_float64() -> None:
    rows = np.random.default_rng(0).normal(size=(20000, 128)).astype(np.float32)
    action = np.arange(len(rows)) % 40
    FeatureSpace.fit(rows[:80], action[:80], "whitened")  # imports what it needs
    tracemalloc.start()
    FeatureSpace.fit(rows, action, "whitened")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1.3 * 8 * rows.size


def test_the_number_of_threads_changes_no_bit() -> None:
    first = FeatureSpace.fit(clips(), ACTION, "whitened").matrix
    with threadpool_limits(1):
        assert torch.equal(first, FeatureSpace.fit(clips(), ACTION, "whitened").matrix)
