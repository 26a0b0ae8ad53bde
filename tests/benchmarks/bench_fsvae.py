"""Measures FS-VAE at the size of NTU-60, split 55/5: a training step against a plain loop, or the whole training.

    python -m tests.benchmarks.bench_fsvae                      # a step against the plain loop
    python -m tests.benchmarks.bench_fsvae --whole --seeds 1    # train and evaluate the published setting, timed

The features are made: 36,000 training clips of 256 numbers, 16,500 seen and 1,400 unseen test clips, and texts of
3 x 512 numbers. The plain loop is written as a straightforward program would be: a DataLoader shuffles the whole
training array anew for every step, and the frequency module is a Python loop over the bands between two DCTs.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from models.fsvae.batches import TrainingData
from models.fsvae.calibrated_loss import calibrated_loss
from models.fsvae.frequency import dct, inverse_dct
from models.fsvae.losses import kl_divergence
from models.fsvae.model import FSVAE
from models.fsvae.schedules import schedule_of
from models.fsvae.settings import ModelSettings, TrainSettings
from models.fsvae.training import Member, Trained, train_member, train_members
from models.fsvae.vae import draw_latents, noise_width
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from tests.shared.made_features import Made, made_workspace

NTU60 = Made(
    actions=60,
    unseen=(11, 12, 20, 27, 57),
    val_unseen=(17, 22, 26, 32, 49),
    train_clips=655,
    test_clips=300,
    features=256,
    text=512,
    attributes=20,
)


SEEDS = 5  # that are trained at once
PHASES_OF_NTU60 = ((36_000, 55), (30_500, 50))  # training clips and actions


def settings_of(preset: str, steps: int) -> tuple[ModelSettings, TrainSettings]:
    """The settings of a preset, with one cycle of `steps` steps."""
    config = build_config({"model": {"preset": preset}, "train": {"cycles": 1, "steps_per_cycle": steps}}, "bench")
    return config.model, config.train


def made_data(clips: int = 36_000, actions: int = 55) -> TrainingData:
    """Training data of `clips` clips of `actions` actions."""
    generator = np.random.default_rng(0)
    texts = generator.normal(size=(actions, 1536)).astype(np.float32)
    return TrainingData(
        skeletons=np.maximum(generator.normal(size=(clips, 256)), 0).astype(np.float32),
        text_row=generator.integers(0, actions, clips),
        texts=texts / np.linalg.norm(texts, axis=1, keepdims=True),
    )


def made_members(sizes: Sequence[tuple[int, int]]) -> list[Member]:
    """Members of SEEDS seeds, in the order in which `train` has them; `sizes` are clips and actions of each phase."""
    phases = [made_data(*size) for size in sizes]
    return [Member(data, (seed, phase)) for seed in range(SEEDS) for phase, data in enumerate(phases)]


def in_one_thread(members: list[Member], settings: TrainSettings, device: torch.device) -> list[Trained]:
    """Train `members` of preset `default` at once, with one thread. Raises RuntimeError when they can't be."""

    def refuse(reason: str) -> None:
        raise RuntimeError(reason)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train_members(members, ModelSettings(), settings, device, refuse)
    finally:
        torch.set_num_threads(threads)


def fsvae_losses(members: list[Member], settings: TrainSettings, device: torch.device) -> list[float]:
    """The logged losses of `members`, trained at once."""
    return [row["total"] for _, history in in_one_thread(members, settings, device) for row in history]


def fsvae_speed(device: torch.device, steps: int) -> float:
    """Print steps a second of one member, and of all members at once, which make fewer steps. Return the latter."""
    members = made_members(PHASES_OF_NTU60)
    one, at_once = steps_a_second(members[:1], device, steps), steps_a_second(members, device, max(1, steps // 3))
    print(f"FS-VAE on {device}, one seed in one phase: {one:.1f} steps/s")
    times = len(members) * at_once / one
    print(f"FS-VAE on {device}, {SEEDS} seeds in both phases at once: {at_once:.1f} steps/s, {times:.2f} times as much")
    return at_once


def steps_a_second(members: list[Member], device: torch.device, steps: int) -> float:
    """Steps a second of all `members` at once. The first cycle does not count."""
    ends: list[float] = []
    first = replace(members[0], on_cycle=lambda *_: ends.append(time.perf_counter()))
    settings = TrainSettings(cycles=2, steps_per_cycle=steps)
    in_one_thread([first, *members[1:]], settings, device)
    return steps / (ends[1] - ends[0] or math.nan)


def banded(rows: Tensor, model: FSVAE, branch: str) -> Tensor:
    """Apply the frequency module band by band."""
    module = model.skeleton_frequency if branch == "skeleton" else model.text_frequency
    if module is None:
        return rows
    coefficients = dct(rows)
    parts = []
    edges = torch.unique_consecutive(module.band, return_counts=True)[1].cumsum(0).tolist()
    for band, (start, stop) in enumerate(zip([0, *edges], edges, strict=False)):
        gain = 1 + module.weight[band] * module.strength * module.slope[start:stop]
        parts.append(coefficients[:, start:stop] * gain)
    return inverse_dct(torch.cat(parts, dim=1))


def plain_loop(data: TrainingData, model_settings: ModelSettings, settings: TrainSettings) -> None:
    """Train one cycle, step by step, with nothing prepared in advance."""
    generator = torch.Generator().manual_seed(0)
    model = FSVAE(data.skeletons.shape[1], data.texts.shape[1], model_settings, generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    texts = torch.from_numpy(data.texts)
    dataset = TensorDataset(torch.from_numpy(data.skeletons), torch.from_numpy(data.text_row))
    loader = DataLoader(dataset, batch_size=settings.batch_size, shuffle=True)
    schedule = schedule_of(settings.schedule, settings.steps_per_cycle)
    width = noise_width(model_settings.noise, model_settings.latent)
    for step in range(settings.steps_per_cycle):
        s, action = next(iter(loader))
        t = texts[action]
        mu_s, logvar_s = model.skeleton.encode(banded(s, model, "skeleton"))
        mu_t, logvar_t = model.text.encode(banded(t, model, "text"))
        z_s = draw_latents(mu_s, logvar_s, torch.randn((len(s), width)))
        z_t = draw_latents(mu_t, logvar_t, torch.randn((len(s), width)))
        loss = nn.functional.mse_loss(model.skeleton.decode(z_s), s) + nn.functional.mse_loss(model.text.decode(z_t), t)
        loss = loss + schedule.skeleton_kl(step) * kl_divergence(mu_s, logvar_s)
        loss = loss + schedule.text_kl(3, step) * kl_divergence(mu_t, logvar_t)
        crossed = model.skeleton.decode(z_t), model.text.decode(z_s)
        distances = torch.cdist(s, crossed[0]).square(), torch.cdist(t, crossed[1]).square()
        calibrated = calibrated_loss(settings.calibrated, *distances, torch.randperm(len(s)), action, settings.lambda_)
        loss = loss + settings.lambda_ * settings.alpha * float(schedule.calibrated(step)) * calibrated
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def one_member(data: TrainingData, model: ModelSettings, settings: TrainSettings, seed: int) -> None:
    """Train one member with one thread."""
    torch.set_num_threads(1)
    train_member(data, model, settings, (seed,), torch.device("cpu"))


def seconds_of_members(preset: str, members: int, workers: int, steps: int) -> float:
    """The wall time of training `members` members in `workers` processes, after a short round to warm them up."""
    data = made_data()
    model, settings = settings_of(preset, steps)
    _, short = settings_of(preset, 10)
    with Parallel(n_jobs=workers) as parallel:
        parallel(delayed(one_member)(data, model, short, seed) for seed in range(workers))
        start = time.perf_counter()
        parallel(delayed(one_member)(data, model, settings, seed) for seed in range(members))
        return time.perf_counter() - start


def compare(preset: str, steps: int, rounds: int) -> None:
    """Compare a step of one member a core, each in its own process, with the plain loop on all cores."""
    data = made_data()
    model, settings = settings_of(preset, steps)
    cores = os.cpu_count() or 1
    torch.set_num_threads(cores)
    for _ in range(rounds):
        start = time.perf_counter()
        plain_loop(data, model, settings)
        plain_ms = 1000 * (time.perf_counter() - start) / steps
        ours_ms = 1000 * seconds_of_members(preset, cores, cores, steps) / (steps * cores)
        print(f"{preset}: plain {plain_ms:.2f} ms a step, ours {ours_ms:.2f} ms, {plain_ms / ours_ms:.1f} times")


def whole(preset: str, seeds: int) -> None:
    """Time the training and evaluation of the published setting."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"model.preset": preset, "train.seeds": list(range(5, 5 + seeds))}
        context = made_workspace(Path(folder), NTU60, chosen)
        context = replace(context, console=Console(stderr=True))
        for stage in ("train", "evaluate"):
            start = time.perf_counter()
            stage_named(stage).run(context)
            print(f"{preset}, {seeds} seeds: {stage} {time.perf_counter() - start:.1f} s")
        print(f"model.safetensors: {context.run.model.stat().st_size / 1e6:.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="released")
    parser.add_argument("--steps", type=int, default=510)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.whole:
        whole(arguments.preset, arguments.seeds)
    else:
        compare(arguments.preset, arguments.steps, arguments.rounds)


if __name__ == "__main__":
    main()
