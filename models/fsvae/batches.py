"""The training data of a phase, and everything random of each step: batches, noise, permutations.

The random numbers of many steps are drawn at once. They are drawn on the CPU, so that every device gets the same.

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
from models.known_actions import KnownActions

STEPS_AT_ONCE = 256  # bounds the memory that the noise takes


@dataclass(frozen=True)
class TrainingData:
    """What one phase trains on: skeleton features (N, D_s), the texts (C, D_t), and each clip's row in them (N,).

    `known` are actions of another data set that the backbone was trained on, where it was given with their texts.
    Raises ModelError when there is no clip, or a feature is NaN or infinite.
    """

    skeletons: NDArray[np.float32]
    text_row: NDArray[np.int64]
    texts: NDArray[np.float32]
    known: KnownActions | None = None

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
    """Rows of one batch after another, (B,). The batches never end.

    epoch  All clips are put in random order and cut into batches of `size`, again and again. Each clip is used once
           before any is used again. If there are fewer clips than `size`, a batch repeats them (ours).
    step   Every step draws its batch from all clips (released code). A clip may be in the next batch again, but is at
           most once in a batch. If there are fewer clips than `size`, a batch holds each of them once.
    """
    while shuffle == "step":
        yield generator.choice(clips, min(size, clips), replace=False)  # without shuffling the clips that are not drawn
    queue = np.empty(0, dtype=np.int64)
    while True:
        while len(queue) < size:
            queue = np.concatenate((queue, generator.permutation(clips)))
        yield queue[:size]
        queue = queue[size:]


@dataclass(frozen=True, eq=False)
class Batch:
    """The clips of one step, and its random numbers."""

    clips: Tensor  # (B,) rows of the skeleton features
    actions: Tensor  # (B,) each clip's action, as a row of the texts
    distinct_actions: Tensor  # (U,) the actions of the batch, each once
    place_of_action: Tensor  # (B,) where each clip's action stands in distinct_actions
    noise: Tensor  # (2, B, 1 or Z), of skeletons and of texts
    permutation: Tensor  # (B,)


def draw_batches(
    steps: int,
    rows: Iterator[NDArray[np.int64]],
    text_row: NDArray[np.int64],
    noise_width: int,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[Batch]:
    """The batches of `steps` steps on `device`. `rows` comes from batch_rows; `noise_width` is 1 or Z."""
    for start in range(0, steps, STEPS_AT_ONCE):
        clips = np.stack([next(rows) for _ in range(min(STEPS_AT_ONCE, steps - start))])  # (steps, B)
        actions = text_row[clips]  # (steps, B)
        distinct = [np.unique(of_step, return_inverse=True) for of_step in actions]
        noise = torch.randn((len(clips), 2, clips.shape[1], noise_width), generator=generator).to(device)
        permutations = torch.rand(clips.shape, generator=generator).argsort(dim=1).to(device)
        yield from map(
            Batch,
            torch.from_numpy(clips).to(device),
            torch.from_numpy(actions).to(device),
            [torch.from_numpy(of_step).to(device) for of_step, _ in distinct],
            torch.from_numpy(np.stack([place for _, place in distinct])).to(device),
            noise,
            permutations,
        )
