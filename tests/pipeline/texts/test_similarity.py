import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.texts.similarity import TOGETHER, similarities

ACTIONS = (2, 5, 9)
FEATURES = {
    "label": np.array([[1, 0], [2, 0], [0, 3]], dtype=np.float32),
    "local": np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32),
}


def test_cosines_do_not_depend_on_length() -> None:
    by_level = similarities(ACTIONS, FEATURES)
    np.testing.assert_allclose(by_level["label"].between, [1, 0, 0])
    np.testing.assert_allclose(by_level["local"].between, [0, 1, 0])
    assert by_level["label"].mean == pytest.approx(1 / 3)
    assert by_level["label"].percentile_95 == pytest.approx(0.9)


def test_together_is_the_levels_concatenated_as_they_are() -> None:
    by_level = similarities(ACTIONS, FEATURES)
    expected = [2 / np.sqrt(2 * 5), 1 / np.sqrt(2 * 10), 0]  # (1,0,1,0) with (2,0,0,1) and with (0,3,1,0)
    np.testing.assert_allclose(by_level[TOGETHER].between, expected)


def test_neighbours_and_pairs_are_nearest_first() -> None:
    label = similarities(ACTIONS, FEATURES)["label"]
    assert label.neighbours(2, 5) == [(5, 1.0), (9, 0.0)]
    assert label.neighbours(9, 1) == [(2, 0.0)]
    assert label.closest_pairs(1) == [(2, 5, 1.0)]
    assert len(label.closest_pairs(10)) == 3


@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 100))
def test_the_actions_of_the_closest_pair_are_each_others_neighbours(actions: int, dimensions: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(actions, dimensions)).astype(np.float32)
    similarity = similarities(range(1, actions + 1), {"label": rows})["label"]
    first, second, cosine = similarity.closest_pairs(1)[0]
    assert similarity.neighbours(first, 1)[0][1] == pytest.approx(cosine)
    assert similarity.neighbours(second, 1)[0][1] == pytest.approx(cosine)
    assert cosine == similarity.between.max()
