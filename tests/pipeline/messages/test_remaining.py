import time

import pytest

from pipeline.messages.remaining import Remaining, duration


def test_what_is_left_follows_from_the_steps_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    remaining = Remaining(4, 10)  # continued work: how long the first four steps took is not known
    assert remaining.text(4) == ""
    now[0] += 120
    assert remaining.text(5) == ", about 10 min left"
    now[0] += 60
    assert remaining.text(6) == ", about 6 min left"
    assert remaining.text(10) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (40.4, "40 s"), (89, "89 s"), (91, "2 min"), (5000, "83 min"), (12600, "3.5 h")]
)
def test_durations_are_written_shortly(seconds: float, text: str) -> None:
    assert duration(seconds) == text
