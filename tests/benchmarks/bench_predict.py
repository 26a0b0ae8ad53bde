"""Measures the speed of predict on a run, against that of extract on the same clips.

    python -m tests.benchmarks.bench_predict WORKSPACE [--run default] [--clips 1000] [--frames 300]

Prints the seconds of a whole `fsvae-pipe predict` of one clip, the seconds from file to answer when everything is
loaded, and for many clips the clips a second of predict and of extract, which reads skeletons.h5 and computes features.
The clips are made; they are as long as NTU's on average. Both loop them to `--frames`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.clean.cleaning import clean_batch
from data.clip_name import ClipName
from data.raw.sources import list_source
from data.recipes import Recipe
from data.recordings.read_clip import RawPart, Reading
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore, SkeletonWriter
from models.backbone.features import clip_features
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.trained_run import TrainedRun, open_run
from tests.shared.made_skeletons import full_clip, moving_clip

MEAN_FRAMES = 85  # of NTU RGB+D's clips, about
READ_AT_A_TIME = 64


def write_clips(folder: Path, count: int) -> list[Path]:
    """`count` raw files, every tenth with two bodies."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        frames = int(generator.integers(MEAN_FRAMES // 2, 3 * MEAN_FRAMES // 2))
        name = ClipName(1, 1, 1 + number // 100 % 999, 1 + number % 100, 1)
        paths.append(folder / f"{name}.skeleton")
        bodies = 2 if number % 10 == 0 else 1
        paths[-1].write_bytes(full_clip(moving_clip(generator, frames, bodies), generator))
    return paths


def write_store(folder: Path, path: Path, recipe: Recipe) -> None:
    """Write the same clips as skeletons.h5."""
    parts = sorted((ClipName.parse(source.stem), RawPart(source)) for source in list_source(folder))
    with h5.writing(path, {}) as file:
        writer = SkeletonWriter(file)
        writer.append(clean_batch(parts, recipe, Reading()).clips)
        writer.finish()


def at_frames(run: TrainedRun, frames: int) -> TrainedRun:
    """`run` as if its backbone had been trained on clips of `frames` frames."""
    backbone = run.config.backbone.model_copy(update={"frames": frames})
    config = run.config.model_copy(update={"backbone": backbone})
    return replace(run, context=replace(run.context, config=config))


def seconds_of_command(workspace: Path, run: str, clip: Path) -> float:
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace), "predict", str(clip), "--run", run, "--json"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--run", default="default")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=300)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clips"
        folder.mkdir()
        paths = write_clips(folder, options.clips)
        command = min(seconds_of_command(options.workspace, options.run, paths[0]) for _ in range(3))
        print(f"one clip, the whole command: {command:.2f} s")

        recognizer = Recognizer(at_frames(open_run(options.workspace / "runs" / options.run), options.frames))
        bank = recognizer.bank()
        one = []
        for path in paths[:5]:
            start = time.perf_counter()
            list(recognizer.stream([path], bank))
            one.append(time.perf_counter() - start)
        print(f"one clip, from file to answer at {options.frames} frames: {np.median(one):.2f} s")

        start = time.perf_counter()
        answers = sum(1 for _ in recognizer.stream([folder], bank))
        predict = answers / (time.perf_counter() - start)

        store_path = Path(name) / "skeletons.h5"
        write_store(folder, store_path, recognizer.treatment.recipe)
        network = recognizer.backbone.network
        with SkeletonStore(store_path) as store:
            start = time.perf_counter()
            clip_features(
                network, np.arange(len(store)), lambda clips: store.batch(clips, options.frames), READ_AT_A_TIME
            )
            extract = len(store) / (time.perf_counter() - start)
        print(f"{answers} clips: predict {predict:.1f} clips/s, extract {extract:.1f} clips/s, {predict / extract:.2f}")


if __name__ == "__main__":
    main()
