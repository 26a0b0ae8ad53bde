"""Measures how fast raw clips become skeletons.h5, and with how much memory.

    python -m tests.benchmarks.bench_preprocess [--clips 2000] [--memory-clips 500 10000]

The clips are made. They have all twelve numbers of a joint and the lengths of NTU RGB+D: 84 frames on average, two
bodies in one clip of five. It prints:

1. the time to parse and normalise a clip in one process, against the plain reader of the tests, which goes line by line
   and loops over frames and joints (nothing is looped to 300 frames);
2. clips a second of the whole stage with 1 and 2 workers, from a zip archive; beside it the best that the cores can
   give: two processes that parse and normalise and share nothing, against one of them alone;
3. the size of skeletons.h5 against a padded float32 array (n, 3, 300, 25, 2);
4. the peak memory of the whole stage with its workers, for few and for many clips.

The archives hold 100 different clips, each many times under other names.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from data.clean.bodies import clean
from data.clean.cleaning import clean_batch
from data.raw.skeleton_file import parse_clip
from data.recordings.read_clip import Reading
from data.stores.skeleton_store import SkeletonStore
from pipeline.stages.table import stage_named
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.shared.made_skeletons import clip_names, full_clip, moving_clip
from tests.shared.plain_reader import by_energy, listed_bodies, normalised, read_frames

DIFFERENT_CLIPS = 100
PADDED_BYTES = 3 * 300 * 25 * 2 * 4


def made_contents(number: int, seed: int = 0) -> list[bytes]:
    """Raw files of 30 to 300 frames, 84 on average; one of five has two bodies."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.gamma(4, 13.5, number) + 30, 30, 300).astype(int)
    return [
        full_clip(moving_clip(rng, int(length), 2 if index % 5 == 0 else 1), rng)
        for index, length in enumerate(lengths)
    ]


def make_archive(path: Path, clips: int, contents: Sequence[bytes]) -> Path:
    """Write a zip archive of `clips` clips that repeats the `contents` under other names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, name in enumerate(clip_names(clips, actions=60)):
            archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", contents[number % len(contents)])
    return path


def best_seconds(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def plain(content: bytes) -> None:
    frames = read_frames(content)
    normalised(by_energy(listed_bodies(frames))[:2], len(frames))


def fast_clip(content: bytes) -> None:
    clean(parse_clip(content, "clip"), "shift-gcn")


def against_plain() -> None:
    """Time parsing and normalising one clip of 84 frames, with one and with two bodies."""
    clean_batch([], "shift-gcn", Reading())  # sets the memory allocator as a worker does: it keeps freed memory
    for bodies in (1, 2):
        rng = np.random.default_rng(bodies)
        content = full_clip(moving_clip(rng, 84, bodies), rng)
        fast = best_seconds(partial(fast_clip, content), 200)
        slow = best_seconds(partial(plain, content), 5)
        print(
            f"parse + normalise, 84 frames, {bodies} bodies: {fast * 1e3:.2f} ms, plain {slow * 1e3:.1f} ms, "
            f"{slow / fast:.0f} times as fast"
        )


def run_stage(archive: Path, folder: Path, workers: int) -> None:
    config = build_config(
        {"dataset": {"name": "made", "raw": [str(archive)]}, "preprocess": {"workers": workers}}, "benchmark"
    )
    with (folder / "messages.txt").open("w") as messages:
        context = Context(Workspace(folder), config, folder / "config.toml", Console(file=messages))
        stage_named("preprocess").run(context)


def throughput(folder: Path, clips: int, contents: Sequence[bytes]) -> None:
    """Time the whole stage with one and two workers, and print the size of its output."""
    archive = make_archive(folder / "clips.zip", clips, contents)
    seconds = {workers: best_seconds(partial(run_stage, archive, folder, workers), 2) for workers in (1, 2)}
    for workers, taken in seconds.items():
        print(f"preprocess, {clips} clips, {workers} workers: {taken:.1f} s, {clips / taken:.0f} clips/s")
    print(
        f"2 workers against 1: {seconds[1] / seconds[2]:.2f} times as fast; "
        f"two processes that share nothing: {best_of_two_processes():.2f}"
    )
    with SkeletonStore(folder / "skeletons.h5") as store:
        written = (folder / "skeletons.h5").stat().st_size
        print(
            f"skeletons.h5: {written / 1e6:.1f} MB for {len(store)} clips of {store.frames.mean():.0f} frames and "
            f"{store.bodies.mean():.2f} bodies, {written / (len(store) * PADDED_BYTES):.3f} of the padded array"
        )


def parsed_in(seconds: float, content: bytes) -> int:
    """How often a clip is parsed and normalised in this time."""
    clean_batch([], "shift-gcn", Reading())
    fast_clip(content)
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        fast_clip(content)
        count += 1
    return count


def best_of_two_processes(seconds: float = 3.0) -> float:
    """The speed of two processes that parse at once and share nothing, as a multiple of one alone."""
    content = full_clip(moving_clip(np.random.default_rng(0), 84, 1), np.random.default_rng(0))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(parsed_in, [(0.1, content)] * 2, chunksize=1)
        alone = pool.apply(parsed_in, (seconds, content))
        return sum(pool.starmap(parsed_in, [(seconds, content)] * 2, chunksize=1)) / alone


def resident_bytes(process: int) -> int:
    """The resident memory of a process and its descendants; a shared page counts once for each."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(folder.name) == process:
                    total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
                elif int(fields[1]) == process:
                    total += resident_bytes(int(folder.name))
            except OSError:  # it ended while being looked at
                continue
    return total


def peak_memory(archive: Path, folder: Path, workers: int) -> int:
    """The highest resident memory of the stage in a new process, sampled 20 times a second."""
    process = multiprocessing.get_context("spawn").Process(target=run_stage, args=(archive, folder, workers))
    process.start()
    peak, done = 0, threading.Event()
    while process.is_alive():
        peak = max(peak, resident_bytes(process.pid or 0))
        done.wait(0.05)
    process.join()
    if process.exitcode:
        raise RuntimeError("the stage failed")
    return peak


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--memory-clips", type=int, nargs="*", default=[500, 10_000])
    options = parser.parse_args()
    against_plain()
    contents = made_contents(DIFFERENT_CLIPS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        throughput(folder, options.clips, contents)
        for clips in options.memory_clips:
            archive = make_archive(folder / "memory.zip", clips, contents)
            peak = peak_memory(archive, folder, workers=2)
            print(f"peak memory of preprocess, {clips} clips, 2 workers: {peak / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
