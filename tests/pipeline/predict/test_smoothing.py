"""Answers of windows become segments, by a method with known answers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pipeline.predict.smoothing import join_short, step_edges, step_log_probabilities, stretches, viterbi

A, B, C = np.eye(3)


def smoothed(rows: list[NDArray[np.float64]], window_s: float = 2, stride_s: float = 0.5) -> list[tuple[float, ...]]:
    """The segments (start, end, action) of windows with these probabilities."""
    spans_s = np.array([(number * stride_s, number * stride_s + window_s) for number in range(len(rows))])
    edges_s = step_edges(float(spans_s[-1, 1]), stride_s)
    found = stretches(step_log_probabilities(edges_s, spans_s, np.stack(rows)), window_s / stride_s)
    return [(float(edges_s[part.first]), float(edges_s[part.end]), part.action) for part in found]


def test_steps_end_with_the_recording() -> None:
    assert step_edges(2.0, 0.5).tolist() == [0, 0.5, 1, 1.5, 2]
    assert step_edges(1.7, 0.5).tolist() == [0, 0.5, 1, 1.5, 1.7]
    assert step_edges(0.1, 0.5).tolist() == [0, 0.1]


def test_a_step_takes_the_mean_of_the_log_probabilities_of_its_windows() -> None:
    rows = np.array([[0.9, 0.1], [0.2, 0.8]])
    steps = step_log_probabilities(step_edges(3, 1), np.array([(0, 2), (1, 3)]), rows)
    middle = np.sqrt(rows.prod(axis=0))
    np.testing.assert_allclose(np.exp(steps), [rows[0], middle / middle.sum(), rows[1]])


def test_windows_without_an_answer_part_the_segments() -> None:
    nothing = np.full(3, np.nan)
    assert smoothed([A] * 4 + [nothing] * 8 + [A] * 4) == [(0, 3.5, 0), (6, 9.5, 0)]
    assert smoothed([nothing, nothing]) == []


def test_two_actions_change_between_their_windows() -> None:
    assert smoothed([A] * 12 + [B] * 12) == [(0, 6.5, 0), (6.5, 13.5, 1)]


def test_one_window_alone_changes_nothing() -> None:
    assert smoothed([A] * 8 + [B] + [A] * 8) == [(0, 10, 0)]


@pytest.mark.parametrize("stride_s", [0.25, 0.5, 1.0])
def test_the_stride_moves_an_end_by_less_than_a_stride(stride_s: float) -> None:
    windows = int(20 / stride_s)
    rows = [A if number * stride_s + 1 < 10 else B for number in range(windows)]
    (_, end_s, first), (_, _, second) = smoothed(rows, 2, stride_s)
    assert (first, second) == (0, 1)
    assert abs(end_s - 10) <= stride_s


def test_viterbi_pays_for_each_change() -> None:
    scores = np.array([[0, -1], [-1, 0], [0, -1], [0, -1]], float)
    assert viterbi(scores, 0.4).tolist() == [0, 1, 0, 0]
    assert viterbi(scores, 0.6).tolist() == [0, 0, 0, 0]


@given(arrays(np.float64, (6, 3), elements=st.floats(-9, 0)), st.floats(0, 5))
def test_viterbi_finds_the_best_path(scores: NDArray[np.float64], penalty: float) -> None:
    def value(path: tuple[int, ...]) -> float:
        changes = sum(one != other for one, other in itertools.pairwise(path))
        return float(scores[np.arange(6), list(path)].sum() - penalty * changes)

    best = max(map(value, itertools.product(range(3), repeat=6)))
    assert value(tuple(viterbi(scores, penalty).tolist())) == pytest.approx(best)


def test_a_short_segment_joins_the_likelier_neighbour() -> None:
    path = np.array([0, 0, 0, 2, 1, 1, 1])
    scores = np.log([[0.6, 0.3, 0.1]] * 7)
    assert join_short(path, scores, 2).tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert join_short(path, scores[:, [1, 0, 2]], 2).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert join_short(np.array([1]), scores[:1], 2).tolist() == [1]
    assert path.tolist() == [0, 0, 0, 2, 1, 1, 1]


@given(
    arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(0, 1)),
    st.sampled_from([(2.0, 0.5), (1.0, 1.0), (2.0, 0.3)]),
)
def test_segments_cover_the_recording_in_order_and_none_is_short(
    rows: NDArray[np.float64], seconds: tuple[float, float]
) -> None:
    window_s, stride_s = seconds
    found = smoothed(list(rows), window_s, stride_s)
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx((len(rows) - 1) * stride_s + window_s)
    for (_, end_s, action), (start_s, _, other) in itertools.pairwise(found):
        assert end_s == start_s
        assert action != other
    if len(found) > 1:
        assert min(end_s - start_s for start_s, end_s, _ in found) >= window_s / 2 - stride_s - 1e-9
