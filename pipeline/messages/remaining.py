"""Estimates the time left for work in equal steps. It is for the screen only: no result depends on it."""

import time


class Remaining:
    """Estimates the time left from the steps done since this object was made.

    `done` of the `total` steps were done earlier, in a time that is not known.
    """

    def __init__(self, done: int, total: int) -> None:
        self._before, self._total, self._start = done, total, time.perf_counter()

    def text(self, done: int) -> str:
        """Return ", about 12 min left" after `done` of all steps; "" before the first step and after the last."""
        steps, left = done - self._before, self._total - done
        if steps < 1 or left < 1:
            return ""
        return f", about {duration((time.perf_counter() - self._start) / steps * left)} left"


def duration(seconds: float) -> str:
    """Return a duration as text: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
