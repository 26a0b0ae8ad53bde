"""The training data of a phase, and everything random of each step: batches, noise, permutations.

The random numbers of many steps are drawn at once. They are drawn on the CPU, so that every device gets the same. Each
member, a seed in one phase, draws its own, whether it trains alone or together with others.

Letters: M members, S steps, N training clips, C actions, B batch, U distinct actions of a batch, D features, Z latent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ModelError
from models.known_actions import KnownActions

STEPS_AT_ONCE = 256  # bounds the memory that the noise takes


@dataclass(frozen=True, eq=False)
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


def batch_size(clips: int, size: int, shuffle: Literal["epoch", "step"]) -> int:
    """The clips of a batch (batch_rows), B, where the setting is `size`."""
    return min(size, clips) if shuffle == "step" else size


def batch_rows(
    clips: int, size: int, shuffle: Literal["epoch", "step"], generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of one batch after another, (B,). The batches never end.

    epoch  All clips are put in random order and cut into batches of `size`, again and again. Each clip is used once
           before any is used again. If there are fewer clips than `size`, a batch repeats them (ours).
    step   Every step draws its batch from all clips (released code). A clip may be in the next batch again, but is at
           most once in a batch. If there are fewer clips than `size`, a batch holds each of them once.
    """
    size = batch_size(clips, size, shuffle)
    while shuffle == "step":
        yield generator.choice(clips, size, replace=False)  # without shuffling the clips that are not drawn
    queue = np.empty(0, dtype=np.int64)
    while True:
        while len(queue) < size:
            queue = np.concatenate((queue, generator.permutation(clips)))
        yield queue[:size]
        queue = queue[size:]


@dataclass(frozen=True, eq=False)
class Batch:
    """The clips of one step, and its random numbers. With several members, every tensor has M in front."""

    clips: Tensor  # (B,) rows of the skeleton features
    actions: Tensor  # (B,) each clip's action, as a row of the texts
    distinct_actions: Tensor  # (U,) the actions of the batch, each once; one again where other members have more
    place_of_action: Tensor  # (B,) where each clip's action stands in distinct_actions
    noise: Tensor  # (2, B, 1 or Z), of skeletons and of texts
    permutation: Tensor  # (B,)

    def of_member(self, place: int) -> "Batch":
        """The batch of one of M members."""
        return Batch(**{name: tensor[place] for name, tensor in vars(self).items()})


@dataclass(frozen=True)
class MemberDraws:
    """Draws the batches of one member, by generators that no other member uses.

    `first_rows` says where the clips and the actions of its data set begin in the tables (tables.py). `noise_width` is
    1 or Z.
    """

    rows: Iterator[NDArray[np.int64]]  # of batch_rows
    text_row: NDArray[np.int64]
    first_rows: tuple[int, int]
    noise_width: int
    generator: torch.Generator

    def next_steps(self, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Clips and actions (S, B), noise (S, 2, B, 1 or Z) and permutations (S, B) of the next `steps` steps."""
        clips = np.stack([next(self.rows) for _ in range(steps)])
        noise = torch.randn((steps, 2, clips.shape[1], self.noise_width), generator=self.generator)
        permutations = torch.rand(clips.shape, generator=self.generator).argsort(dim=1)
        first_clip, first_action = self.first_rows
        actions = torch.from_numpy(self.text_row[clips] + first_action)
        return torch.from_numpy(clips + first_clip), actions, noise, permutations


def draw_batches(steps: int, members: Sequence[MemberDraws], device: torch.device) -> Iterator[Batch]:
    """The batches of `steps` steps on `device`, each of all members: every tensor has M in front."""
    for start in range(0, steps, STEPS_AT_ONCE):
        drawn = [member.next_steps(min(STEPS_AT_ONCE, steps - start)) for member in members]
        clips, actions, noise, permutations = (torch.stack(parts, dim=1) for parts in zip(*drawn, strict=True))
        distinct, place, numbers = distinct_actions(actions)
        on_device = [tensor.to(device) for tensor in (clips, actions, distinct, place, noise, permutations)]
        for number, *tensors in zip(numbers, *on_device, strict=True):
            batch = Batch(*tensors)
            yield replace(batch, distinct_actions=batch.distinct_actions[:, :number])


def distinct_actions(actions: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """The actions of each batch (S, M, B), each once and rising; where each clip's action stands among them; how many.

    Returns (S, M, most), (S, M, B), and for each step the largest number among its members. The actions of other
    members are fewer: the first is there again in the places that are left.
    """
    present = torch.zeros((*actions.shape[:2], int(actions.max()) + 1), dtype=torch.bool).scatter_(2, actions, True)
    number = present.sum(dim=2)  # (S, M)
    rising = present.byte().argsort(dim=2, descending=True, stable=True)[..., : int(number.max())]
    used = torch.arange(rising.shape[2]) < number[..., None]
    place = (present.cumsum(dim=2) - 1).gather(2, actions)
    return torch.where(used, rising, rising[..., :1]), place, number.amax(dim=1).tolist()
