"""Frames at other times: what lies between two frames, gaps, doubled frames and clocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.clips.timing import MAX_GAP_S, even_frames
from data.errors import DataError


def moving(times_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Two joints of one body that move evenly: (T, 1, 2, 3)."""
    return (
        np.stack([times_s, 2 * times_s, 1 + 0 * times_s], axis=-1).astype(np.float32)[:, None, None].repeat(2, axis=2)
    )


def test_frames_at_the_wanted_rate_stay_bit_for_bit() -> None:
    times_s = np.arange(20) / 30
    joints = np.random.default_rng(1).normal(size=(20, 2, 25, 3)).astype(np.float32)
    even = even_frames(joints, times_s, 30, 30)
    assert np.array_equal(even.joints, joints)
    assert (even.doubled, even.filled, even.lost) == (0, 0, 0)
    assert even.notes(30, 30) == []


def test_a_clock_that_jitters_by_a_few_milliseconds_changes_no_joint() -> None:
    rng = np.random.default_rng(1)
    times_s = np.arange(20) / 30 + rng.uniform(-0.002, 0.002, 20)
    joints = rng.normal(size=(20, 1, 25, 3)).astype(np.float32)
    assert np.array_equal(even_frames(joints, times_s - times_s[0], 30, 30).joints, joints)


@pytest.mark.parametrize(("source_fps", "fps"), [(20, 30), (60, 30), (50, 30), (15, 30), (120, 30), (30, 25)])
def test_motion_keeps_its_speed_at_another_rate(source_fps: float, fps: float) -> None:
    times_s = np.arange(0, 3 + 1e-9, 1 / source_fps)
    even = even_frames(moving(times_s), times_s, source_fps, fps)
    assert len(even.joints) == 3 * fps + 1
    np.testing.assert_allclose(even.joints, moving(np.arange(len(even.joints)) / fps), atol=1e-6)
    assert [note.what for note in even.notes(source_fps, fps)] == [f"resampled to {fps} frames a second"]


def test_short_gaps_are_filled_and_long_ones_stay_empty() -> None:
    times_s = np.r_[np.arange(10), np.arange(14, 20), np.arange(60, 70)] / 30
    even = even_frames(moving(times_s), times_s, 30, 30)
    known = np.isfinite(even.joints).all(axis=(1, 2, 3))
    wanted = np.r_[np.full(20, True), np.full(40, False), np.full(10, True)]
    assert np.array_equal(known, wanted)
    assert (even.filled, even.lost) == (4, 40)
    np.testing.assert_allclose(even.joints[known], moving(np.arange(70) / 30)[known], atol=1e-6)
    texts = [str(note) for note in even.notes(30, 30)]
    assert texts == [
        f"with gaps of at most {MAX_GAP_S} s, which were filled (4 frames)",
        "with longer gaps, which stay empty (40 frames, 1.3 s)",
    ]


def test_a_joint_that_is_missing_for_some_frames_is_filled_alone() -> None:
    times_s = np.arange(30) / 30
    joints = moving(times_s)
    joints[5:8, 0, 1] = np.nan
    even = even_frames(joints, times_s, 30, 30)
    np.testing.assert_allclose(even.joints, moving(times_s), atol=1e-6)
    assert (even.filled, even.lost) == (3, 0)


def test_nothing_is_invented_before_a_joint_comes_and_after_it_goes() -> None:
    times_s = np.arange(30) / 30
    joints = moving(times_s)
    joints[:4] = joints[25:] = np.nan
    even = even_frames(joints, times_s, 30, 30)
    assert np.array_equal(np.isfinite(even.joints), np.isfinite(joints))
    assert (even.filled, even.lost) == (0, 0)


def test_doubled_frames_are_left_out_and_time_that_goes_back_is_refused() -> None:
    times_s = np.array([0, 1, 1, 2, 3, 3, 3, 4]) / 30
    even = even_frames(moving(times_s), times_s, 30, 30)
    assert len(even.joints) == 5
    assert even.doubled == 3
    with pytest.raises(DataError, match="time goes back, or is no number, after frame 2"):
        even_frames(moving(times_s[:3]), np.array([0, 2, 1]) / 30, 30, 30)
    with pytest.raises(DataError, match="after frame 1"):
        even_frames(moving(times_s[:2]), np.array([0, np.nan]), 30, 30)


def test_a_clock_that_leaps_makes_no_frames_without_end() -> None:
    with pytest.raises(DataError, match="too many"):
        even_frames(moving(np.arange(2.0)), np.array([0, 1e9]), 30, 30)


def test_frames_too_far_apart_to_interpolate_are_refused_unless_they_stay_as_they_are() -> None:
    times_s = np.arange(5.0)
    with pytest.raises(DataError, match=r"at 1 frames a second its frames lie more than 0.5 s apart"):
        even_frames(moving(times_s), times_s, 1, 30)
    assert np.array_equal(even_frames(moving(times_s), times_s, 1, 1).joints, moving(times_s))


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40).map(sorted), st.sampled_from([15.0, 30.0, 47.0]))
def test_any_order_of_frames_gives_an_even_grid(numbers: list[int], fps: float) -> None:
    times_s = (np.array(numbers) - numbers[0]) / 30
    even = even_frames(moving(times_s), times_s, 30, fps)
    assert len(even.joints) == int(np.floor(times_s[-1] * fps + 0.1)) + 1
    known = np.asarray(np.isfinite(even.joints).all(axis=(1, 2, 3)))
    assert known[0]
    np.testing.assert_allclose(
        even.joints[known], moving(np.arange(len(even.joints)) / fps)[known], atol=2.1 * 0.1 / fps + 1e-6
    )
