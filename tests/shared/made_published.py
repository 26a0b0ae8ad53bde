"""Makes feature folders and text features in the published layout.

Each action is a few hidden attributes. Its clips lie around a point that is a random linear map of them, its text
features are other random linear maps. So unseen actions can be recognised by their texts.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSEEN = (11, 12, 20, 27, 57)  # ntu60-synse-55-5
VAL_UNSEEN = (17, 22, 26, 32, 49)
ACTIONS = range(1, 61)


@dataclass(frozen=True)
class Published:
    """The size of the made data."""

    train_clips: int = 8  # of each action
    test_clips: int = 4  # of each action
    val_clips: int = 2  # of each action
    features: int = 48  # width of a skeleton feature
    text: int = 24  # width of a text feature at one level
    attributes: int = 4
    noise: float = 0.1

    def attributes_of_actions(self) -> NDArray[np.float64]:
        return np.random.default_rng(0).normal(size=(len(ACTIONS), self.attributes))

    def points(self) -> NDArray[np.float64]:
        """The centre of each action's clips, (60, D)."""
        linear_map = np.random.default_rng(1).normal(size=(self.attributes, self.features))
        return np.maximum(self.attributes_of_actions() @ linear_map + 0.5, 0)

    def clips(self, actions: Collection[int], each: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and labels (from 0) of `each` clips an action, in random order."""
        generator = np.random.default_rng(seed)
        label = generator.permutation(np.repeat(sorted(actions), each)) - 1
        noise = self.noise * generator.normal(size=(len(label), self.features))
        return (self.points()[label] + noise).astype(np.float32), label

    def logits(self, features: NDArray[np.float32], known: Collection[int]) -> NDArray[np.float32]:
        """A column for each action; actions that are not `known` never have the highest logit."""
        squares = np.square(features[:, None].astype(np.float64) - self.points()).sum(axis=2)
        logits: NDArray[np.float64] = -squares / (2 * self.noise**2)
        logits[:, [action - 1 for action in ACTIONS if action not in known]] -= 1e4
        return np.asarray(logits, dtype=np.float32)

    def write_test(self, folder: Path) -> Path:
        """Write the feature folder of the test phase."""
        seen = [action for action in ACTIONS if action not in UNSEEN]
        save(folder, "train", "train_label", *self.clips(seen, self.train_clips, 1))
        gtest, g_label = self.clips(ACTIONS, self.test_clips, 2)
        save(folder, "gtest", "g_label", gtest, g_label)
        np.save(folder / "gtest_out.npy", self.logits(gtest, seen))
        is_unseen = np.isin(g_label + 1, UNSEEN)
        save(folder, "ztest", "z_label", gtest[is_unseen], g_label[is_unseen])
        return folder

    def write_val(self, folder: Path) -> Path:
        """Write the feature folder of the val phase."""
        seen = [action for action in ACTIONS if action not in UNSEEN + VAL_UNSEEN]
        save(folder, "train", "train_label", *self.clips(seen, self.train_clips - self.val_clips, 3))
        for part, label, actions, each in (
            ("val", "val_label", seen, self.val_clips),
            ("ztest", "z_label", VAL_UNSEEN, self.train_clips),
        ):
            features, labels = self.clips(actions, each, 4)
            save(folder, part, label, features, labels)
            np.save(folder / f"{part}_out.npy", self.logits(features, seen))
        return folder

    def write_text(self, folder: Path) -> list[Path]:
        """Write text features: label, global and local, by the names of their published files."""
        folder.mkdir(exist_ok=True)
        paths = []
        for seed, prefix in enumerate(("lb", "ad", "md")):
            linear_map = np.random.default_rng(10 + seed).normal(size=(self.attributes, self.text))
            paths.append(folder / f"{prefix}_60.npy")
            np.save(paths[-1], (self.attributes_of_actions() @ linear_map).astype(np.float16))
        return paths


def save(folder: Path, part: str, label: str, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{part}.npy", features)
    np.save(folder / f"{label}.npy", labels)
