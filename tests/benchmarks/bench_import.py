"""Measures the time and memory of `import skeletons`, for 500 and 4,000 clips of NTU's lengths, from .npy and .npz.

    python tests/benchmarks/bench_import.py [FOLDER]

FOLDER is where the files go; by default they go to a temporary folder.
"""

import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

SIZES = (500, 4000)
CONFIG = """
[dataset]
name = "ntu60"
protocol = "custom"
train_subjects = [1]
"""


def clip_of(generator: np.random.Generator, clip: int) -> NDArray[np.float32]:
    """A centred clip (C, T, V, M) of about 84 frames; four of five clips have one body."""
    length = int(generator.integers(40, 129))
    once = generator.normal(size=(3, length, 25, 2 if clip % 5 == 0 else 1)).astype(np.float32)
    once[:, :, 1, 0] = 0
    return once


def write_array(folder: Path, num_clips: int) -> Path:
    """Write a Shift-GCN array and its labels, clip by clip."""
    generator = np.random.default_rng(num_clips)
    path = folder / f"made{num_clips}_data_joint.npy"
    array = open_memmap(path, mode="w+", dtype=np.float32, shape=(num_clips, 3, 300, 25, 2))
    names, labels = [], []
    for clip in range(num_clips):
        once = clip_of(generator, clip)
        array[clip, ..., : once.shape[3]] = np.take(once, np.arange(300) % once.shape[1], axis=1)
        action, subject = clip // 2 % 60 + 1, clip % 2 + 1
        names.append(f"S001C001P{subject:03d}R{clip // 120 + 1:03d}A{action:03d}.skeleton")
        labels.append(action - 1)
    array.flush()
    path.with_name(f"made{num_clips}_label.pkl").write_bytes(pickle.dumps((names, labels)))
    return path


def write_archive(folder: Path, num_clips: int) -> Path:
    """Write a compressed CTR-GCN archive."""
    generator = np.random.default_rng(num_clips)
    path = folder / f"made{num_clips}.npz"
    x = np.zeros((num_clips, 300, 2, 25, 3), np.float32)
    for clip in range(num_clips):
        once = clip_of(generator, clip).transpose(1, 3, 2, 0)  # (T, M, V, C)
        x[clip, : len(once), : once.shape[1]] = once
    flat, labels = x.reshape(num_clips, 300, 150), np.eye(60)[np.arange(num_clips) // 2 % 60]
    np.savez_compressed(path, x_train=flat[::2], y_train=labels[::2], x_test=flat[1::2], y_test=labels[1::2])
    return path


def measure(work: Path, path: Path, num_clips: int) -> None:
    """Import in a process of its own, and print time and memory."""
    work.mkdir()
    (work / "config.toml").write_text(CONFIG)
    code = (
        "from pipeline.cli.main import main\n"
        f"try:\n    main(['-w', {str(work)!r}, 'import', 'skeletons', {str(path)!r}])\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    megabytes = int(done.stdout.split()[-2]) / 1024
    stored, given = (work / "skeletons.h5").stat().st_size, num_clips * 3 * 300 * 25 * 2 * 4
    print(
        f"{path.suffix} {num_clips} clips: {num_clips / seconds:.0f} clips a second, peak {megabytes:.0f} MB, "
        f"skeletons.h5 {stored / given:.2f} of the padded array"
    )


def main(folder: Path) -> None:
    """Write and import each size in both formats."""
    for num_clips in SIZES:
        measure(folder / f"npy{num_clips}", write_array(folder, num_clips), num_clips)
    for num_clips in SIZES:
        measure(folder / f"npz{num_clips}", write_archive(folder, num_clips), num_clips)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
