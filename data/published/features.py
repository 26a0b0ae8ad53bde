"""Published feature folders, which are shared instead of skeletons: one folder for each phase, one row for each clip.

Test phase, shift_<u>_r/:

    train  train.npy, train_label.npy              training clips of the seen actions
    gtest  gtest.npy, g_label.npy, gtest_out.npy   test clips of all actions, with the backbone's logits
    ztest  ztest.npy, z_label.npy                  the clips of gtest that show an unseen action, again; may be absent

Val phase, shift_val_<u>_r/:

    train  train.npy, train_label.npy              training clips of the actions that are seen in this phase
    val    val.npy, val_label.npy, val_out.npy     held-out clips of the same actions, with logits
    ztest  ztest.npy, z_label.npy, ztest_out.npy   clips of the pseudo-unseen actions, with logits

Features are (n, D), logits (n, k). Labels (n,) are class indices from 0, so action = label + 1. Clips have no names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.formats.npy_file import load_labels, load_matrix
from data.phase_names import PhaseName
from data.stores.feature_store import all_the_same

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
SAME_CLIP_TOLERANCE = 0.01  # two feature vectors of one clip differ by less than this share of their norm


@dataclass(frozen=True)
class Part:
    """n clips of a folder: `features` (n, D), `action` (n,) from 1, `logits` (n, k), or (n, 0) when none are shared."""

    path: Path  # the features' file
    label_path: Path
    features: NDArray[np.float32]
    action: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.action)

    def counts(self) -> dict[int, int]:
        """Returns the number of clips of each action."""
        actions, counts = np.unique(self.action, return_counts=True)
        return {int(action): int(count) for action, count in zip(actions, counts, strict=True)}

    def names(self) -> list[str]:
        """Makes names for the clips, because none are shared: the file and the row in it, "gtest.npy[0]"."""
        return [f"{self.path.name}[{row}]" for row in range(len(self))]


def phase_of_folder(folder: Path) -> PhaseName:
    """Returns the phase that a folder holds. Raises DataError when it is not a feature folder."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; expected a feature folder (shift_5_r or shift_val_5_r). The older single HDF5 "
            "files can't be imported: they hold no logits, which evaluation needs"
        )
    is_test, is_val = ((folder / name).is_file() for name in ("gtest.npy", "val.npy"))
    if is_test == is_val:
        raise DataError(
            f"{folder}: holds {'both' if is_test else 'neither'} of gtest.npy (test phase) and val.npy (val phase); "
            "expected exactly one"
        )
    return "test" if is_test else "val"


def folder_files(folder: Path, phase: PhaseName) -> dict[str, list[Path]]:
    """Returns the files to read in a feature folder, by part. `ztest` of the test phase may be absent."""
    files = {part: [folder / name for name in names] for part, names in FILES[phase].items()}
    if phase == "test" and not any(path.exists() for path in files["ztest"]):
        del files["ztest"]
    return files


def read_folder(folder: Path, phase: PhaseName) -> dict[str, Part]:
    """Reads the parts of a folder. Raises DataError naming a file that is missing, broken or does not fit the rest."""
    parts = {name: _read_part(*paths) for name, paths in folder_files(folder, phase).items()}
    _require_one_width(folder, "features", {part.path.name: part.features.shape[1] for part in parts.values()})
    _require_one_width(
        folder, "logits", {f"{p.path.stem}_out.npy": p.logits.shape[1] for p in parts.values() if p.logits.size}
    )
    return parts


def _require_one_width(folder: Path, kind: str, widths: dict[str, int]) -> None:
    """Raises DataError when the arrays of several files, given as name -> width, differ in width."""
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise DataError(f"{folder}: its {kind} differ in width ({listed}); they are not from one backbone")


def _read_part(path: Path, label_path: Path, *logit_paths: Path) -> Part:
    features, labels = load_matrix(path), load_labels(label_path)
    logits = np.zeros((len(features), 0), np.float32)
    for logit_path in logit_paths:
        logits = load_matrix(logit_path)
        if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
            raise DataError(f"{logit_path}: holds probabilities; expected the logits before the softmax")
    for other, rows in ((label_path, len(labels)), *((logit_path, len(logits)) for logit_path in logit_paths)):
        if rows != len(features):
            raise DataError(f"{other}: has {rows} rows, but {path.name} beside it has {len(features)}")
    if wrong := all_the_same(features, labels):
        raise DataError(f"{path}: {wrong}; get the file again from those who made it")
    return Part(path, label_path, features, labels + 1, logits)


def unmatched(part: Part, within: Part) -> int:
    """Counts the clips of `part` without a match in `within`: the same action, and equal features up to rounding."""
    count = 0
    for action in np.unique(part.action):
        clips, candidates = (p.features[p.action == action].astype(np.float64) for p in (part, within))
        if not len(candidates):
            count += len(clips)
            continue
        squares = np.square(clips).sum(1)  # (n,)
        distances = squares[:, None] + np.square(candidates).sum(1) - 2 * clips @ candidates.T  # (n, m) squared
        count += int((distances.min(axis=1) > SAME_CLIP_TOLERANCE**2 * squares + 1e-9).sum())
    return count
