"""Measures how much two busy programs take from each other, with OpenMP's threads waiting as the program lets them.

    python -m tests.benchmarks.bench_busy_machine [--seconds 8]

For training steps of the backbone and for features, each alone and two at once, in processes of their own: steps a
second as OpenMP waits by default, as `fsvae-pipe` sets it, and with OMP_WAIT_POLICY=PASSIVE. All processes use all
cores.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from pipeline.cli.waiting_threads import POLICY, SHORT_WAIT, wait_shortly

OURS = "fsvae-pipe"
WAYS = ("default", OURS, "passive")
JOBS = ("train", "extract")


def environment(way: str) -> dict[str, str]:
    """The environment of a process that waits in this way, on all cores."""
    hidden = (*SHORT_WAIT, POLICY, "OMP_NUM_THREADS")
    chosen = {name: value for name, value in os.environ.items() if name not in hidden}
    if way == OURS:
        wait_shortly(chosen)
    elif way == "passive":
        chosen[POLICY] = "PASSIVE"
    return chosen


def steps_a_second(job: str, seconds: float) -> float:
    """Steps a second of one job in this process: a training step of 4 short clips, or the features of 2."""
    import numpy as np

    from models.backbone.features import clip_features
    from tests.benchmarks.bench_shift_gcn import train_step
    from tests.shared.made_networks import lively_network, made_clips

    network = lively_network(60)
    if job == "train":
        network.train()
        training = made_clips(4, 32, 1)  # small steps, in which threads wait often
        step: Callable[[], object] = partial(train_step, network, training)
    else:
        network.eval()
        clips = made_clips(2, 64, 1).numpy()
        step = partial(clip_features, network, np.arange(len(clips)), clips.__getitem__, len(clips))
    step()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    return steps / (time.perf_counter() - start)


def measured(job: str, way: str, at_once: int, seconds: float) -> list[float]:
    """Steps a second of so many processes that run at once."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_busy_machine", "--job", job, "--seconds", str(seconds)]
    children = [
        subprocess.Popen(command, env=environment(way), stdout=subprocess.PIPE, text=True) for _ in range(at_once)
    ]
    return [float(child.communicate()[0]) for child in children]


def main() -> None:
    """Measure and print, or be one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(steps_a_second(options.job, options.seconds))
        return
    for job in JOBS:
        alone = {way: measured(job, way, 1, options.seconds)[0] for way in WAYS}
        for way in WAYS:
            first, second = measured(job, way, 2, options.seconds)
            share = alone[way] / alone["default"]
            print(f"{job}, {way}: alone {alone[way]:.2f} steps/s, {share:.2f} of the default; two at once", end=" ")
            print(f"{first:.2f} + {second:.2f}, together {(first + second) / alone[way]:.2f} of one alone", flush=True)


if __name__ == "__main__":
    main()
