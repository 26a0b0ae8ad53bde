"""The part of bench_gpu.py that is about FS-VAE: one member, and all members at once. A member is a seed in a phase."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.training import Member, Trained, train_member, train_members
from tests.benchmarks.bench_fsvae import made_data

CPU = torch.device("cpu")
SEEDS, PHASES = 5, 2
SIZES = ((36_000, 55), (30_500, 50))  # training clips and actions of each phase
COMPARED_SIZES, COMPARED_STEPS = ((2000, 55), (1500, 50)), 20
MODEL, TRAIN = ModelSettings(), TrainSettings()
EVERY_LOSS = {"kl_start": 0, "calibrated_start": 0, "text_kl_cycle": 1}


@dataclass(frozen=True)
class FSVAESpeed:
    """Steps a second of one member, and of all at once."""

    one: float
    at_once: float

    def text(self, device: torch.device) -> str:
        """Two lines: each form, and how many times as much all at once do."""
        number = SEEDS * PHASES
        return (
            f"FS-VAE, one seed in one phase: {self.one:.1f} steps/s on {device}\n"
            f"FS-VAE, {SEEDS} seeds in both phases at once: {self.at_once:.1f} steps/s of {number} on {device}, "
            f"{number * self.at_once / self.one:.2f} times as much"
        )

    def hours(self, steps: float) -> float:
        """The training of all members for `steps` each, at once."""
        return steps / self.at_once / 3600


def made_members(sizes: tuple[tuple[int, int], ...]) -> list[Member]:
    """Members of random features, in the order in which `train` has them."""
    phases = [made_data(*size) for size in sizes]
    return [Member(data, (seed, phase)) for seed in range(SEEDS) for phase, data in enumerate(phases)]


def fsvae_speed(device: torch.device, steps: int) -> FSVAESpeed:
    """Measure one member, and all at once, in one thread, as `train` works. The first cycle does not count."""
    members = made_members(SIZES)
    return FSVAESpeed(*(_steps_a_second(some, device, steps) for some in (members[:1], members)))


def _steps_a_second(members: list[Member], device: torch.device, steps: int) -> float:
    ends = list[float]()
    told = lambda *_: ends.append(time.perf_counter())  # noqa: E731
    settings = TRAIN.model_copy(update={"cycles": 2, "steps_per_cycle": steps})
    first = Member(members[0].data, members[0].entropy, told)
    in_one_thread([first, *members[1:]], settings, device)
    return steps / (ends[1] - ends[0] or math.nan)


def in_one_thread(members: list[Member], settings: TrainSettings, device: torch.device) -> list[Trained]:
    """Train `members` at once in one thread. Raises RuntimeError when they can't be."""

    def refuse(reason: str) -> None:
        raise RuntimeError(reason)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train_members(members, MODEL, settings, device, refuse)
    finally:
        torch.set_num_threads(threads)


def fsvae_comparisons(device: torch.device) -> Iterator[tuple[str, list[ArrayLike]]]:
    """What is compared: losses of a few steps on the device, of one member and of all at once, with the CPU's alone."""
    members = made_members(COMPARED_SIZES)
    schedule = TRAIN.schedule.model_copy(update=EVERY_LOSS)
    settings = TRAIN.model_copy(update={"cycles": 2, "steps_per_cycle": COMPARED_STEPS, "schedule": schedule})
    alone = [_losses(train_member(of.data, MODEL, settings, of.entropy, CPU)) for of in members]
    yield "FS-VAE losses", [_losses(in_one_thread(members[:1], settings, device)[0]), alone[0]]
    at_once = [_losses(trained) for trained in in_one_thread(members, settings, device)]
    yield "FS-VAE losses, all members at once", [np.array(at_once), np.array(alone)]


def _losses(trained: Trained) -> list[float]:
    return [row["total"] for row in trained[1]]
