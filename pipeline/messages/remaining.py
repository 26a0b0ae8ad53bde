"""How long something that goes in equal steps will still take, for the screen alone."""

import time


class Remaining:
    """Counts from when it is made; steps that were done before it do not count."""

    def __init__(self, done: int, total: int) -> None:
        self._before, self._total, self._start = done, total, time.perf_counter()

    def told(self, done: int) -> str:
        """ ", about 12 min left" after `done` of all steps; "" when there is none left, or nothing to judge by."""
        steps, left = done - self._before, self._total - done
        if steps < 1 or left < 1:
            return ""
        return f", about {duration((time.perf_counter() - self._start) / steps * left)} left"


def duration(seconds: float) -> str:
    """A duration in seconds as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
