"""Measures how many clips a second a training loop can read from skeletons.h5.

    python -m tests.benchmarks.bench_skeleton_store [--clips 5000] [--batches 100]

Writes made clips of NTU RGB+D's lengths: 84 frames on average, one body in four of five clips. Then it reads random
batches of 64 clips, looped to 300 frames, in one thread: through SkeletonStore, and through a plain loop that copies
frame by frame. Last, it takes turns with a device that is only waited for: a plain loop reads a batch after each step,
and models.ahead reads it meanwhile, as training and extraction do on a GPU.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data.clean.bodies import CleanClip
from data.clean.cleaning import collect
from data.clip_name import ClipName
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore, SkeletonWriter
from models.ahead import ahead

BATCH = 64
FRAMES = 300


def write_store(path: Path, clips: int) -> None:
    """Write noise in the shape of clips; the speed of reading does not depend on the numbers."""
    rng = np.random.default_rng(0)
    with h5.writing(path, {}) as file:
        writer = SkeletonWriter(file)
        for start in range(0, clips, 100):
            batch = []
            for number in range(start, min(start + 100, clips)):
                frames = int(np.clip(rng.gamma(4, 13.5) + 30, 30, 300))
                bodies = 2 if number % 5 == 0 else 1
                joints = rng.normal(size=(bodies, frames, 25, 3)).astype(np.float32)
                period = (frames, frames if bodies == 2 else 0)
                name = ClipName(1 + number // 900, 1, 1 + number % 900, 1, 1)
                batch.append((name, CleanClip(joints, period, np.zeros((0, 3), np.float32), {})))
            writer.append(collect(batch))
        writer.finish()


def plain_batch(file: h5py.File, clips: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read a batch (n, 3, 300, 25, 2) frame by frame."""
    out = np.zeros((len(clips), 3, FRAMES, 25, 2), np.float32)
    for place, clip in enumerate(clips):
        start, frames, bodies = (int(file[f"clip/{name}"][clip]) for name in ("offset", "frames", "bodies"))
        for body in range(bodies):
            rows = file["joints"][start + body * frames : start + (body + 1) * frames]
            for t in range(FRAMES):
                out[place, :, t, :, body] = rows[t % frames].T
    return out


def share_computing(batches: Iterable[NDArray[np.float32]], step_seconds: float) -> float:
    """The share of the time in which a device computes whose step of one batch takes `step_seconds`."""
    steps, start = 0, time.perf_counter()
    for _ in batches:
        time.sleep(step_seconds)  # as a program waits for a GPU
        steps += 1
    return steps * step_seconds / (time.perf_counter() - start)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--step-ms", type=float, default=30, help="of a device, for one batch")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "skeletons.h5"
        write_store(path, options.clips)
        batches = [rng.choice(options.clips, BATCH, replace=False) for _ in range(options.batches)]
        with SkeletonStore(path) as store, h5py.File(path) as file:
            if not np.array_equal(store.batch(batches[0], FRAMES), plain_batch(file, batches[0])):
                raise RuntimeError("the two ways of reading differ")
            start = time.perf_counter()
            for batch in batches:
                store.batch(batch, FRAMES)
            fast = len(batches) * BATCH / (time.perf_counter() - start)
            start = time.perf_counter()
            for batch in batches[:5]:
                plain_batch(file, batch)
            slow = 5 * BATCH / (time.perf_counter() - start)
            load, step = partial(store.batch, frames=FRAMES), options.step_ms / 1000
            shares = [share_computing(loaded, step) for loaded in (map(load, batches), ahead(load, batches))]
    print(f"random batches of {BATCH}: {fast:.0f} clips/s, plain {slow:.0f} clips/s, {fast / slow:.1f} times as fast")
    print(f"a device with steps of {options.step_ms:g} ms computes {shares[1]:.0%} of the time, plain {shares[0]:.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
