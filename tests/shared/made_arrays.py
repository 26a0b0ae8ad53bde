"""Made clips for the tests of imported arrays, and the array that preprocess makes of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.clean.bodies import clean
from data.clean.cleaning import collect
from data.clip_name import ClipName
from data.raw.skeleton_file import format_clip, parse_clip
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore, SkeletonWriter
from tests.shared.import_command import call

ACTIONS = 6
FRAMES = 300
TRAIN, TEST = (1, 2), (3,)
CUSTOM = """
[dataset]
name = "made"
protocol = "custom"
train_subjects = [1, 2]
split = "custom"
unseen = ["A002"]
val_unseen = ["A004"]
"""
Clips = dict[ClipName, NDArray[np.float32]]


def custom_workspace(folder: Path) -> Path:
    """Make a workspace with a config.toml for these clips."""
    folder.mkdir()
    (folder / "config.toml").write_text(CUSTOM)
    return folder


def body(generator: np.random.Generator, frames: int) -> NDArray[np.float32]:
    """A random body that moves, (T, V, C) in metres."""
    rest = generator.normal(loc=(0.2, 0.1, 3), scale=0.4, size=(25, 3))
    path: NDArray[np.float64] = rest + generator.normal(scale=0.05, size=(frames, 25, 3)).cumsum(axis=0)
    return path.astype(np.float32)


def raw_clips(subjects: Sequence[int], seed: int) -> Clips:
    """Name -> clip (T, M, V, C): short and long ones, one and two bodies, gaps, a second body that comes and goes."""
    generator = np.random.default_rng(seed)
    clips = {}
    for subject in subjects:
        for action in range(1, ACTIONS + 1):
            frames = int(generator.integers(20, 200)) if action > 1 else (1, 299, 300)[subject - 1]
            joints = np.zeros((frames, 2, 25, 3), np.float32)
            joints[:, 0] = body(generator, frames)
            if action == 3:
                joints[:, 1] = body(generator, frames)
            if action == 4:
                joints[: frames // 2, 1] = 0.5 * body(
                    generator, frames // 2
                )  # it is there for a shorter time, and ranks second
            if action == 5:
                joints[frames // 3 : frames // 2, 0] = 0  # a gap
                joints[3:7, 0, 10] = 0  # joints that were not seen
            clips[ClipName(1, 1, subject, 1, action)] = joints
    return clips


def reference(path: Path, clips: Clips) -> NDArray[np.float32]:
    """Write `clips` to `path` as preprocess does; return them padded and looped, (N, 3, 300, 25, 2), by name."""
    cleaned = [(name, clean(parse_clip(format_clip(clips[name]), str(name)), "shift-gcn")) for name in sorted(clips)]
    with h5.writing(path, {}) as file:
        writer = SkeletonWriter(file)
        writer.append(collect(cleaned))
        writer.finish()
    return batch(path)


def batch(path: Path) -> NDArray[np.float32]:
    """All clips of a skeletons.h5, padded and looped, (N, 3, 300, 25, 2)."""
    with SkeletonStore(path) as store:
        return store.batch(np.arange(len(store)), FRAMES)


def refused(work: Path, *paths: Path) -> str:
    """Call an import of skeletons that must fail and write nothing; return its message."""
    result = call("-w", work, "import", "skeletons", *paths)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert not list(work.glob("*.h5"))
    assert not list(work.glob(".*.partial"))
    return " ".join(result.stderr.split())
