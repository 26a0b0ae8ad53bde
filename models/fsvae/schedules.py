"""The weights of the losses within a cycle of E steps. Steps count from 0, cycles from 1.

    b_s = max(0, kl_weight (step - kl_start) / kl_ramp)           weight of the skeleton KL
    on  = step > calibrated_start                                 whether the calibrated loss is used
    b_t = max(0, kl_weight (step - calibrated_start) / kl_ramp)   weight of the text KL, from cycle text_kl_cycle on

Published: kl_start is 1000 and kl_ramp 3000; calibrated_start is 1400 for E = 1700 and 1500 for E = 1900. For any other
E, the numbers of E = 1700 are scaled by E / 1700, so that a short run uses every loss as well (ours).
"""

from dataclasses import dataclass

from models.fsvae.settings import SCALED, ScheduleSettings

PUBLISHED = {1700: (1000, 3000, 1400), 1900: (1000, 3000, 1500)}  # E: kl_start, kl_ramp, calibrated_start
SCALED_FROM = 1700


@dataclass(frozen=True)
class Schedule:
    """The steps of one cycle at which losses begin, and how fast the KL weights rise."""

    kl_start: int
    kl_ramp: int
    kl_weight: float
    calibrated_start: int
    text_kl_cycle: int

    def skeleton_kl(self, step: int) -> float:
        """b_s, the weight of the skeleton KL."""
        return max(0.0, self.kl_weight * (step - self.kl_start) / self.kl_ramp)

    def text_kl(self, cycle: int, step: int) -> float:
        """b_t, the weight of the text KL."""
        if cycle < self.text_kl_cycle:
            return 0.0
        return max(0.0, self.kl_weight * (step - self.calibrated_start) / self.kl_ramp)

    def calibrated(self, step: int) -> bool:
        """Whether the calibrated loss is used."""
        return step > self.calibrated_start


def schedule_of(settings: ScheduleSettings, steps_per_cycle: int) -> Schedule:
    """The schedule of a cycle of `steps_per_cycle` steps. What `settings` leave at SCALED is as published."""
    published = PUBLISHED.get(steps_per_cycle) or [n * steps_per_cycle // SCALED_FROM for n in PUBLISHED[SCALED_FROM]]
    chosen = (settings.kl_start, settings.kl_ramp, settings.calibrated_start)
    kl_start, kl_ramp, calibrated_start = (
        default if value == SCALED else value for value, default in zip(chosen, published, strict=True)
    )
    return Schedule(kl_start, max(1, kl_ramp), settings.kl_weight, calibrated_start, settings.text_kl_cycle)
