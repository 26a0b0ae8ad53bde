"""When each loss sets in within a cycle of E steps (steps count from 0, cycles from 1).

    b_s = max(0, kl_weight (step - kl_start) / kl_ramp)
    on  = step > calibrated_start
    b_t = max(0, kl_weight (step - calibrated_start) / kl_ramp)   from cycle text_kl_cycle on

Published: kl_start 1000, kl_ramp 3000; calibrated_start 1400 for E = 1700 and 1500 for E = 1900. For any other E the
corners of E = 1700 are scaled by E / 1700, so that a short run turns every loss on as well (ours).
"""

from dataclasses import dataclass

from models.fsvae.settings import SCALED, ScheduleSettings

PUBLISHED = {1700: (1000, 3000, 1400), 1900: (1000, 3000, 1500)}  # E: kl_start, kl_ramp, calibrated_start
SCALED_FROM = 1700


@dataclass(frozen=True)
class Schedule:
    """The corners of one cycle, in steps."""

    kl_start: int
    kl_ramp: int
    kl_weight: float
    calibrated_start: int
    text_kl_cycle: int

    def skeleton_kl(self, step: int) -> float:
        """b_s."""
        return max(0.0, self.kl_weight * (step - self.kl_start) / self.kl_ramp)

    def text_kl(self, cycle: int, step: int) -> float:
        """b_t."""
        if cycle < self.text_kl_cycle:
            return 0.0
        return max(0.0, self.kl_weight * (step - self.calibrated_start) / self.kl_ramp)

    def calibrated(self, step: int) -> bool:
        """Whether the calibrated loss is on."""
        return step > self.calibrated_start


def schedule_of(settings: ScheduleSettings, steps_per_cycle: int) -> Schedule:
    """The schedule of a cycle of `steps_per_cycle` steps; corners that `settings` leave open are as published."""
    if steps_per_cycle in PUBLISHED:
        corners = PUBLISHED[steps_per_cycle]
    else:
        kl_start, kl_ramp, calibrated_start = (
            corner * steps_per_cycle // SCALED_FROM for corner in PUBLISHED[SCALED_FROM]
        )
        corners = kl_start, max(1, kl_ramp), calibrated_start
    chosen = (settings.kl_start, settings.kl_ramp, settings.calibrated_start)
    kl_start, kl_ramp, calibrated_start = (
        published if own == SCALED else own for own, published in zip(chosen, corners, strict=True)
    )
    return Schedule(kl_start, max(1, kl_ramp), settings.kl_weight, calibrated_start, settings.text_kl_cycle)
