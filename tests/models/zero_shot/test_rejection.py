"""Clips of none of the candidates: the score, the threshold, and how well it works."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.zero_shot.rejection import Rejection, left_out_score
from models.zero_shot.score_gate import text_score


def test_a_clip_is_scored_without_its_own_text() -> None:
    probabilities = np.array([[0.1, 0.2, 0.6, 0.1], [0.1, 0.2, 0.1, 0.6], [0.7, 0.1, 0.1, 0.1]])
    scores = left_out_score(probabilities, 2, np.array([2, 3, -1]))
    np.testing.assert_allclose(scores, np.log([0.1 / 0.2, 0.1 / 0.2, 0.1 / 0.7]))
    assert probabilities[0, 2] == 0.6  # the given array stays
    np.testing.assert_allclose(text_score(probabilities, 2)[:2], np.log([3, 3]))


def test_the_threshold_loses_the_wanted_share_of_right_answers() -> None:
    scores = np.arange(101.0)
    right = scores >= 1  # 100 clips, with scores of 1 to 100
    rejection = Rejection.fit(scores, right)
    for lost in (0.01, 0.05, 0.1, 0.5):
        assert (scores[right] < rejection.threshold(lost)).mean() == pytest.approx(lost, abs=0.011)
    assert rejection.threshold(0) == 1
    assert np.isfinite(Rejection.fit(scores, np.zeros(101, bool)).threshold(0.05))


def test_what_is_measured_on_scores_that_part_well_and_not_at_all() -> None:
    scores = np.linspace(1, 2, 50)
    rejection = Rejection.fit(scores, np.ones(50, bool))
    apart = rejection.measured(scores, np.ones(50, bool), scores - 2, scores - 3)
    assert apart["auroc"] == {"left_out": 100, "seen": 100}
    assert apart["at_5"]["left_out"] == apart["at_1"]["seen"] == 100
    assert apart["at_10"]["lost"] == pytest.approx(10, abs=2)
    alike = rejection.measured(scores, np.ones(50, bool), scores, scores)
    assert alike["auroc"] == {"left_out": 50, "seen": 50}
    assert alike["at_5"]["left_out"] == alike["at_5"]["lost"]


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_more_may_be_lost_the_higher_the_threshold(values: list[float], one: float, two: float) -> None:
    rejection = Rejection.fit(np.array(values), np.ones(len(values), bool))
    less, more = sorted((one, two))
    assert rejection.threshold(less) <= rejection.threshold(more)
