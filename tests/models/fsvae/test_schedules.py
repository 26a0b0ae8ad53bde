"""Schedules at their corner steps."""

import pytest

from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ScheduleSettings


@pytest.mark.parametrize(("steps", "on_after"), [(1700, 1400), (1900, 1500)])
def test_published_corners(steps: int, on_after: int) -> None:
    schedule = schedule_of(ScheduleSettings(), steps)
    assert schedule.skeleton_kl(0) == 0
    assert schedule.skeleton_kl(1000) == 0
    assert schedule.skeleton_kl(1001) == pytest.approx(0.1 / 3000)
    assert schedule.skeleton_kl(steps - 1) == pytest.approx(0.1 * (steps - 1001) / 3000)
    assert not schedule.calibrated(on_after)
    assert schedule.calibrated(on_after + 1)
    assert schedule.text_kl(3, on_after) == 0
    assert schedule.text_kl(3, on_after + 30) == pytest.approx(0.001)
    assert schedule.text_kl(10, on_after + 30) == pytest.approx(0.001)
    assert schedule.text_kl(2, on_after + 30) == 0


@pytest.mark.parametrize("steps", [1, 2, 10, 170, 500, 5000])
def test_a_cycle_of_any_length_turns_every_loss_on(steps: int) -> None:
    schedule = schedule_of(ScheduleSettings(), steps)
    last = steps - 1
    if steps >= 10:
        assert schedule.calibrated(last)
        assert schedule.skeleton_kl(last) > 0
        assert schedule.text_kl(3, last) > 0
        assert schedule.skeleton_kl(last) == pytest.approx(0.1 * 699 / 3000, rel=0.35)
    assert not schedule.calibrated(0)


def test_corners_can_be_set() -> None:
    settings = ScheduleSettings(kl_start=10, kl_ramp=20, kl_weight=0.5, calibrated_start=0, text_kl_cycle=1)
    schedule = schedule_of(settings, 1700)
    assert schedule.skeleton_kl(14) == pytest.approx(0.1)
    assert schedule.calibrated(1)
    assert schedule.text_kl(1, 4) == pytest.approx(0.1)
