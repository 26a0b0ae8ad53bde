"""Feature folders as the field shares them instead of skeletons: one folder a phase, one row a clip.

Test phase, shift_<u>_r/:

    train  train.npy, train_label.npy              training clips of the seen actions
    gtest  gtest.npy, g_label.npy, gtest_out.npy   test clips of all actions, with the backbone's logits
    ztest  ztest.npy, z_label.npy                  those of gtest that show an unseen action, once more; may be left out

Val phase, shift_val_<u>_r/:

    train  train.npy, train_label.npy              clips of the actions that are still seen
    val    val.npy, val_label.npy, val_out.npy     held-out clips of the same actions, with logits
    ztest  ztest.npy, z_label.npy, ztest_out.npy   clips of the pseudo-unseen actions, with logits

Features (n, D), logits (n, k), labels (n,): class indices from 0, so action = label + 1. Clips have no names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.phase_names import PhaseName
from data.published.npy_file import load_labels, load_matrix

# phase -> part -> endings of its files: features, labels, logits
FILES: Mapping[PhaseName, Mapping[str, tuple[str, ...]]] = {
    "test": {
        "train": ("train.npy", "train_label.npy"),
        "gtest": ("gtest.npy", "g_label.npy", "gtest_out.npy"),
        "ztest": ("ztest.npy", "z_label.npy"),
    },
    "val": {
        "train": ("train.npy", "train_label.npy"),
        "val": ("val.npy", "val_label.npy", "val_out.npy"),
        "ztest": ("ztest.npy", "z_label.npy", "ztest_out.npy"),
    },
}
SAME_CLIP_TOLERANCE = 0.01  # two features of one clip differ by less than this share of their length


@dataclass(frozen=True)
class Part:
    """n clips of a folder: `features` (n, D), `action` (n,) from 1, `logits` (n, k) or (n, 0) where none are shared."""

    path: Path  # of the features
    label_path: Path
    features: NDArray[np.float32]
    action: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.action)

    def counts(self) -> dict[int, int]:
        """Clips of each action."""
        actions, counts = np.unique(self.action, return_counts=True)
        return {int(action): int(count) for action, count in zip(actions, counts, strict=True)}

    def names(self) -> list[str]:
        """What stands for the clips' names, which are not shared: the file and the row in it, "gtest.npy[0]"."""
        return [f"{self.path.name}[{row}]" for row in range(len(self))]


def phase_of_folder(folder: Path) -> PhaseName:
    """Which phase a folder holds. Raises DataError when it is no feature folder."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; a feature folder (shift_5_r or shift_val_5_r) is wanted. The older single "
            "HDF5 files hold no logits, which evaluation needs, and are not imported"
        )
    found = [phase for phase, own in (("test", "gtest"), ("val", "val")) if (folder / f"{own}.npy").is_file()]
    if len(found) != 1:
        raise DataError(
            f"{folder}: holds {' and '.join(f'{part}.npy' for part in ('gtest', 'val')) if found else 'neither'} "
            "of gtest.npy (test phase) and val.npy (val phase), where exactly one of them is wanted"
        )
    return "test" if found[0] == "test" else "val"


def folder_files(folder: Path, phase: PhaseName) -> dict[str, list[Path]]:
    """The files of a feature folder that are read, by part; `ztest` of the test phase only when it is there."""
    parts = {part: [folder / name for name in names] for part, names in FILES[phase].items()}
    if phase == "test" and not any(path.exists() for path in parts["ztest"]):
        del parts["ztest"]
    return parts


def read_folder(folder: Path, phase: PhaseName) -> dict[str, Part]:
    """The parts of a folder by name. Raises DataError naming the file that is missing, broken, or does not fit."""
    parts = {name: _read_part(*paths) for name, paths in folder_files(folder, phase).items()}
    widths = {part.path: part.features.shape[1] for part in parts.values()}
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{path.name} {width}" for path, width in widths.items())
        raise DataError(f"{folder}: its features differ in width ({told}); they are not of one backbone")
    widths = {part.path: part.logits.shape[1] for part in parts.values() if part.logits.size}
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{path.stem}_out.npy {width}" for path, width in widths.items())
        raise DataError(f"{folder}: its logits differ in width ({told}); they are not of one backbone")
    return parts


def _read_part(path: Path, label_path: Path, *logit_paths: Path) -> Part:
    features, labels = load_matrix(path), load_labels(label_path)
    logits = np.zeros((len(features), 0), np.float32)
    for logit_path in logit_paths:
        logits = load_matrix(logit_path)
        if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
            raise DataError(f"{logit_path}: holds probabilities; the logits before the softmax are wanted")
    for other, rows in ((label_path, len(labels)), *((logit_path, len(logits)) for logit_path in logit_paths)):
        if rows != len(features):
            raise DataError(f"{other}: has {rows} rows, but {path.name} beside it has {len(features)}")
    return Part(path, label_path, features, labels + 1, logits)


def unmatched(part: Part, within: Part) -> int:
    """How many clips of `part` are not among those of `within` that show the same action, up to rounding."""
    count = 0
    for action in np.unique(part.action):
        wanted, there = (p.features[p.action == action].astype(np.float64) for p in (part, within))
        if not len(there):
            count += len(wanted)
            continue
        squares = np.square(wanted).sum(1)
        gaps = squares[:, None] + np.square(there).sum(1) - 2 * wanted @ there.T
        count += int((gaps.min(axis=1) > SAME_CLIP_TOLERANCE**2 * squares + 1e-9).sum())
    return count
