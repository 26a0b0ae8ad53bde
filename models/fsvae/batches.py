"""What FS-VAE is trained on: the features of a phase, and everything random of each step.

The batches and the noise of many steps are drawn at once, on the CPU, so that every device gets the same.

Letters: N training clips, C actions, B batch, U distinct actions of a batch, D features, Z latent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ModelError

DRAWN_AT_ONCE = 256  # steps; bounds the memory that drawn noise takes


@dataclass(frozen=True)
class TrainingData:
    """What one phase trains on: skeleton features (N, D_s), each clip's row (N,) in the texts (C, D_t)."""

    skeletons: NDArray[np.float32]
    text_row: NDArray[np.int64]
    texts: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, rows in (("skeleton", self.skeletons), ("text", self.texts)):
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            if len(bad):
                raise ModelError(
                    f"{len(bad)} of {len(rows)} {name} features hold NaN or infinite numbers (the first in row "
                    f"{bad[0]}); FS-VAE needs finite ones"
                )
        if not len(self.skeletons):
            raise ModelError("there is no clip to train FS-VAE on")


def batch_rows(
    clips: int, size: int, shuffle: Literal["epoch", "step"], generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of one batch after another, (B,).

    epoch  pass after pass over all clips in random order, cut into batches of `size`: each clip is used once before
           any is used again. A set smaller than a batch is repeated within it (ours).
    step   all clips are shuffled for every step, which takes the first `size` (released code): a clip may come again
           in the next step, and comes at most once in a step. A set smaller than a batch is the batch.
    """
    while shuffle == "step":
        yield generator.choice(clips, min(size, clips), replace=False)  # the same, without shuffling all the others
    queue = np.empty(0, dtype=np.int64)
    while True:
        while len(queue) < size:
            queue = np.concatenate((queue, generator.permutation(clips)))
        yield queue[:size]
        queue = queue[size:]


@dataclass(frozen=True)
class Batch:
    """Everything random of one step, and each action of the batch once (U <= B of them)."""

    clips: Tensor  # (B,) rows of the skeleton features
    text_of_clip: Tensor  # (B,) rows of the texts
    texts: Tensor  # (U,) rows of the texts, each once
    place_of_clip: Tensor  # (B,) places in `texts`
    noise: Tensor  # (2, B, 1 or Z), for skeletons and texts
    permutation: Tensor  # (B,)


def draw_batches(
    steps: int,
    rows: Iterator[NDArray[np.int64]],
    text_row: NDArray[np.int64],
    width: int,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[Batch]:
    """The batches of `steps` steps, drawn on the CPU so that every device gets the same, many at once."""
    for start in range(0, steps, DRAWN_AT_ONCE):
        clips = np.stack([next(rows) for _ in range(min(DRAWN_AT_ONCE, steps - start))])  # (steps, B)
        text_of_clip = text_row[clips]
        unique = [np.unique(row, return_inverse=True) for row in text_of_clip]
        noise = torch.randn((len(clips), 2, clips.shape[1], width), generator=generator).to(device)
        permutations = torch.rand(clips.shape, generator=generator).argsort(dim=1).to(device)
        yield from map(
            Batch,
            torch.from_numpy(clips).to(device),
            torch.from_numpy(text_of_clip).to(device),
            [torch.from_numpy(texts).to(device) for texts, _ in unique],
            torch.from_numpy(np.stack([place for _, place in unique])).to(device),
            noise,
            permutations,
        )
