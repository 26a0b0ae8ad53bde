"""Accuracies and H by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.zero_shot.metrics import confusion_matrix, harmonic_mean, per_class, top1

ACTUAL, PREDICTED = np.array([2, 2, 2, 5]), np.array([2, 2, 5, 5])


def test_micro_and_per_class() -> None:
    assert top1(ACTUAL, PREDICTED) == 75
    assert per_class(ACTUAL, PREDICTED) == pytest.approx((200 / 3 + 100) / 2)


def test_no_clip_has_no_accuracy() -> None:
    nothing = np.array([], dtype=np.int64)
    assert math.isnan(top1(nothing, nothing))
    assert math.isnan(per_class(nothing, nothing))


@pytest.mark.parametrize(("seen", "unseen", "h"), [(77.0, 74.5, 75.7), (0, 50, 0), (0, 0, 0), (40, 40, 40)])
def test_harmonic_mean(seen: float, unseen: float, h: float) -> None:
    assert harmonic_mean(seen, unseen) == pytest.approx(h, abs=0.05)


@given(seen=st.floats(0, 100), unseen=st.floats(0, 100))
def test_h_lies_between_its_parts(seen: float, unseen: float) -> None:
    h = harmonic_mean(seen, unseen)
    assert min(seen, unseen) * 0.999 <= h <= max(seen, unseen) * 1.001 or h == 0


def test_confusion_has_actual_in_rows() -> None:
    matrix = confusion_matrix(ACTUAL, PREDICTED, (5, 2, 7))
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
