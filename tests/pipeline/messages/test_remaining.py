import time

import pytest

from pipeline.messages.remaining import Remaining, duration


def test_what_is_left_follows_from_the_steps_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    counted = Remaining(4, 10)  # continued: four steps took who knows how long
    assert counted.told(4) == ""
    now[0] += 120
    assert counted.told(5) == ", about 10 min left"
    now[0] += 60
    assert counted.told(6) == ", about 6 min left"
    assert counted.told(10) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (40.4, "40 s"), (89, "89 s"), (91, "2 min"), (5000, "83 min"), (12600, "3.5 h")]
)
def test_durations_are_said_shortly(seconds: float, said: str) -> None:
    assert duration(seconds) == said
