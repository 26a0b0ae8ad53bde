"""Measures the backbone and FS-VAE on a GPU through the program's own code, and compares results with the CPU's.

    python -m tests.benchmarks.bench_gpu [--device cuda] [--clips 1024] [--frames 300] [--seconds 10]

It needs no data and no network. The clips are random numbers in a temporary skeletons.h5, 84 frames long on average,
and one in five has two bodies. It prints

- clips a second in training (fp32 and bf16) and in extraction (batches of several sizes), with the program's loader
- the same with data ready: on the device in training, in main memory in extraction. The difference is the share of the
  time in which the device waits for data
- TFLOP/s reached with the loader, and with --peak-tflops their share of the device's peak
- steps a second of FS-VAE, one seed in one phase, and five seeds in both phases at once, on the device and on the CPU
- whether features, the first losses of the backbone and those of FS-VAE are the CPU's; it exits with 1 when not
- hours for NTU-60 and NTU-120, cross-subject, at these speeds: two backbones, their features, and FS-VAE of five seeds
  at once. They are an upper bound: they are for all training clips, and a backbone trains on those of seen actions
"""

import argparse
import copy
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import ArrayLike
from torch.utils.flop_counter import FlopCounterMode

from data.stores.skeleton_store import SkeletonStore
from models.backbone.features import LoadBatch, clip_features
from models.backbone.protocol import Backbone
from models.backbone.settings import BackboneSettings
from models.backbone.training import Trainer, TrainingClips, train_backbone
from models.devices import make_accelerator, torch_device
from models.errors import ModelError
from models.fsvae.presets import OF_DATASET
from models.fsvae.settings import ScheduleSettings, TrainSettings
from pipeline.stages.backbone import batch_loader
from pipeline.stages.extract import CLIPS_READ_AT_A_TIME
from tests.benchmarks.bench_fsvae import fsvae_losses, fsvae_speed, made_members
from tests.benchmarks.bench_skeleton_store import write_store

CLASSES = 55
EXTRACTION_BATCHES = (CLIPS_READ_AT_A_TIME, 256, 1024)  # the first is the one that `extract` uses
COMPARED_CLIPS, COMPARED_STEPS = 16, 3
# Of the largest value, in fp32. Clips that were changed by 1e-6 of their values moved losses on a CPU by 5e-6. Clips
# that were changed by 1e-3, more than TF32 rounds, moved them by 5e-4, and features by 1e-4.
TOLERANCE = 1e-3
COMPARED_FSVAE_SIZES, COMPARED_FSVAE_STEPS = ((2000, 55), (1500, 50)), 20
EVERY_LOSS = ScheduleSettings(kl_start=0, calibrated_start=0, text_kl_cycle=1)
PHASES = 2
FSVAE_STEPS_A_SECOND = 34  # that --seconds asks for: 340, one cycle, in 10
SLOW_LEARNING = 1e-3  # at the recipe's 0.1, rounding alone moves the third loss by 2e-3, and random clips may diverge
TRAIN = TrainSettings()
DATA_SETS = {  # training clips, all clips, FS-VAE's steps a cycle
    "NTU-60": (40_091, 56_578, TRAIN.steps_per_cycle),
    "NTU-120": (63_026, 113_945, OF_DATASET["ntu120"]["train.steps_per_cycle"]),
}


@dataclass(frozen=True)
class Speed:
    """Clips a second, and floating-point operations for a clip. `failure` says why there are none."""

    loaded: float = math.nan
    ready: float = math.nan
    flop_a_clip: float = math.nan
    failure: str = ""

    def row(self, name: str, peak_tflops: float | None) -> str:
        if self.failure:
            return f"| {name} | {self.failure} |"
        waits, tflops = max(0.0, 1 - self.loaded / self.ready), self.loaded * self.flop_a_clip / 1e12
        peak = f" {tflops / peak_tflops:.1%} |" if peak_tflops else ""
        return f"| {name} | {self.loaded:.1f} | {self.ready:.1f} | {waits:.0%} | {tflops:.3f} |{peak}"


def measured(measure: Callable[..., Speed], *arguments: object) -> Speed:
    """What `measure` returns, or why it can't be measured here."""
    try:
        return measure(*arguments)
    except torch.OutOfMemoryError:
        return Speed(failure="not measured: it does not fit into the device's memory")
    except ModelError as error:
        return Speed(failure=f"not measured: {error}")


def rate(work: Callable[[], object], units: int, seconds: float) -> float:
    """Units a second of `work`, which does `units` of them and waits for the device. The first call does not count."""
    work()
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < seconds:
        work()
        calls += 1
    return calls * units / (time.perf_counter() - start)


def accelerator_for(device: torch.device, precision: str) -> Accelerator:
    """A new accelerator. accelerate allows a process one device and precision, so it must forget the last ones."""
    os.environ.pop("ACCELERATE_TORCH_DEVICE", None)
    AcceleratorState._reset_state(reset_partial_state=True)
    return make_accelerator(str(device), precision)


def training_clips(places: int, load_batch: LoadBatch) -> TrainingClips:
    numbers, none = np.arange(places), np.arange(0)
    return TrainingClips(numbers, numbers % CLASSES, none, none, CLASSES, load_batch)


def training_speed(device: torch.device, precision: str, store: SkeletonStore, frames: int, seconds: float) -> Speed:
    """Steps on one batch that stays on the device, then whole epochs of `train_backbone`."""
    settings = BackboneSettings(frames=frames, learning_rate=SLOW_LEARNING)
    size, load_batch = min(settings.batch_size, len(store)), batch_loader(store, frames)
    trainer = Trainer.start(CLASSES, settings, 0, accelerator_for(device, precision))
    batch = torch.from_numpy(load_batch(np.arange(size))).to(device)
    target = torch.arange(size, device=device) % CLASSES
    ready = rate(lambda: trainer.step(batch, target, size, 0.0).tolist(), size, seconds)
    # The backward pass computes two products for each one of the forward pass. torch's own count of it is wrong for
    # depthwise convolutions: it takes them for full ones.
    flop_a_clip = 3 * forward_flop(trainer.network, batch) / size
    epochs, ends = 1 + max(1, round(seconds * ready / len(store))), list[float]()  # the first does not count
    whole = settings.model_copy(update={"epochs": epochs, "keep": "last"})
    clips = training_clips(len(store), load_batch)
    train_backbone(clips, whole, 0, trainer.accelerator, None, lambda state: ends.append(time.perf_counter()))
    return Speed(len(store) * (epochs - 1) / (ends[-1] - ends[0]), ready, flop_a_clip)


def forward_flop(network: Backbone, batch: torch.Tensor) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(batch)
    return int(counter.get_total_flops())


def extraction_speed(network: Backbone, store: SkeletonStore, frames: int, size: int, seconds: float) -> Speed:
    places, load_batch = np.arange(len(store)), batch_loader(store, frames)
    batch = load_batch(places[:size])
    flop_a_clip = forward_flop(network.eval(), torch.from_numpy(batch).to(network.fc.weight.device)) / len(batch)
    loaded, ready = (
        rate(lambda load=load: clip_features(network, places, load, size), len(places), seconds)  # type: ignore[misc]
        for load in (load_batch, lambda some: batch[: len(some)])
    )
    return Speed(loaded, ready, flop_a_clip)


def comparisons(device: torch.device, store: SkeletonStore, frames: int) -> Iterator[tuple[str, list[ArrayLike]]]:
    """What is compared, all in fp32, with the device's values and the CPU's."""
    pair = device, torch.device("cpu")
    size, load_batch = min(COMPARED_CLIPS, len(store)), batch_loader(store, frames)
    chosen = {"epochs": COMPARED_STEPS, "batch_size": size, "learning_rate": SLOW_LEARNING}
    settings, clips = BackboneSettings(frames=frames, **chosen, keep="last"), training_clips(size, load_batch)
    # One step is an epoch, so its loss is in the epoch's report.
    trained = [train_backbone(clips, settings, 0, accelerator_for(where, "fp32")) for where in pair]
    networks = (copy.deepcopy(trained[0][0]).to(where) for where in pair)
    yield "features", [clip_features(network, clips.fit, load_batch, size)[0] for network in networks]
    yield "backbone losses", [[report.loss for report in reports] for _, reports in trained]
    train = TrainSettings(cycles=2, steps_per_cycle=COMPARED_FSVAE_STEPS, schedule=EVERY_LOSS)
    members = made_members(COMPARED_FSVAE_SIZES)
    alone = [fsvae_losses([member], train, torch.device("cpu")) for member in members]
    yield "FS-VAE losses", [fsvae_losses(members[:1], train, device), alone[0]]
    yield "FS-VAE losses, all members at once", [fsvae_losses(members, train, device), np.concatenate(alone)]


def compared(name: str, pair: list[ArrayLike]) -> bool:
    """Print and return whether the device's values are the CPU's. A value that is no number never is."""
    values, expected = map(np.asarray, pair)
    worst = float(np.abs(values - expected).max() / np.abs(expected).max())
    agree = worst <= TOLERANCE
    found = f"{'agree' if agree else 'DIFFER'}; largest difference from the CPU's {worst:.1e}"
    print(f"{name}: {found}, allowed {TOLERANCE:.0e}", flush=True)
    return agree


def hours(name: str, training: Speed, extraction: Speed, fsvae_steps_a_second: float) -> str:
    fit, clips, steps = DATA_SETS[name]
    backbone, features = BackboneSettings().epochs * fit / training.loaded, clips / extraction.loaded
    parts = np.array([backbone * PHASES, features * PHASES, TRAIN.cycles * steps / fsvae_steps_a_second]) / 3600
    return f"{parts.sum():.2f} (backbones {parts[0]:.2f}, features {parts[1]:.2f}, FS-VAE {parts[2]:.2f})"


def usable(name: str) -> torch.device:
    """The device of this name. Raises argparse's error, with what to do instead, when this machine has none."""
    try:
        return torch.zeros(1, device=torch_device(name)).device
    except (ModelError, RuntimeError) as error:
        found = f"torch {torch.__version__} can't use {name!r} on this machine, so nothing was measured"
        raise argparse.ArgumentTypeError(f"{found}. To measure the CPU instead, add --device cpu") from error


def main() -> None:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=usable, default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--clips", type=int, default=1024, help="random clips, 8 or more; fewer suit a CPU")
    parser.add_argument("--frames", type=int, default=300, help="4 or more; clips are looped to this length")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each speed")
    parser.add_argument("--peak-tflops", type=float, nargs=2, metavar=("FP32", "BF16"), help="from the data sheet")
    given = parser.parse_args()
    if given.clips < 8 or given.frames < 4:
        parser.error("--clips must be 8 or more, and --frames must be 4 or more")
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "skeletons.h5", given.clips)
        with SkeletonStore(Path(folder) / "skeletons.h5") as store:
            speeds(given, store)
            agree = [compared(name, pair) for name, pair in comparisons(given.device, store, given.frames)]
    if not all(agree):
        sys.exit("the device's results are not the CPU's")


def speeds(given: argparse.Namespace, store: SkeletonStore) -> None:
    """Measure and print all speeds, and the hours that follow from them."""
    device, frames, seconds = given.device, given.frames, given.seconds
    fp32_peak, bf16_peak = given.peak_tflops or (None, None)
    title = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    print(f"{title}, {os.cpu_count()} cores, torch {torch.__version__}; {len(store)} clips of {frames} frames\n")
    print("| work | clips/s | with data ready | waits for data | TFLOP/s |" + " of peak |" * bool(fp32_peak))
    print("|---|---|---|---|---|" + "---|" * bool(fp32_peak))
    training: dict[str, Speed] = {}
    for precision, peak in (("fp32", fp32_peak), ("bf16", bf16_peak)):
        training[precision] = measured(training_speed, device, precision, store, frames, seconds)
        print(training[precision].row(f"backbone training, {precision}", peak), flush=True)
    network = Trainer.start(CLASSES, BackboneSettings(), 0, accelerator_for(device, "fp32")).network
    extraction: list[Speed] = []
    for size in (batch for batch in EXTRACTION_BATCHES if batch <= max(len(store), EXTRACTION_BATCHES[0])):
        extraction.append(measured(extraction_speed, network, store, frames, size, seconds))
        print(extraction[-1].row(f"extraction, fp32, batches of {min(size, len(store))}", fp32_peak), flush=True)
    steps = max(COMPARED_STEPS, round(FSVAE_STEPS_A_SECOND * seconds))
    print()
    at_once = {where: fsvae_speed(where, steps) for where in dict.fromkeys((torch.device("cpu"), device))}
    print()
    for name in DATA_SETS:
        for precision, speed in training.items():
            estimate = speed.failure or extraction[0].failure or hours(name, speed, extraction[0], at_once[device])
            print(f"{name}, backbones in {precision}, hours: {estimate}")
    print(flush=True)


if __name__ == "__main__":
    main()
