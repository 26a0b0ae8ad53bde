"""Tries ways to name clips from texts in closed form, over many random sets of unseen actions. Takes a minute.

    python -m tests.benchmarks.bench_ridge FEATURES.npz --texts CSV [--sets 60] [--unseen 5] [--known ntu60]

Files, sets and clips are those of bench_alignment. The first row is the program's own ridge; every other row changes
what its name says. With --known, as in bench_alignment, the last rows are the program's ridge with known actions.
Printed are the unseen test clips that get the right name, in percent, and the difference from the first row, paired by
set. Each has its standard error over the sets.

Letters: N clips, C seen actions, U unseen actions, D size of a feature, L levels, E size of a text at one level.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import DataError
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from descriptions.loader import read_descriptions
from models.aligners.ridge import STRENGTHS, RidgeAligner
from models.errors import ModelError
from models.feature_space import LEAST_VARIANCE, class_means
from models.fsvae.batches import TrainingData
from models.known_actions import KnownActions
from pipeline.messages.errors import PipelineError
from pipeline.phases.held_out import choose_held_out
from pipeline.phases.known_pairs import NEAR, likeness
from tests.benchmarks.alignment.clips import encoded, known_of, read_clips, require_texts
from tests.benchmarks.alignment.scores import config_of
from tests.benchmarks.alignment.sets import HELD_OUT, drawn_split, phase_parts
from tests.benchmarks.bench_alignment import mean_and_error

Floats = NDArray[np.float64]
Kernels = Callable[[Floats, Floats], tuple[Floats, Floats]]  # seen (C, L, E), unseen (U, L, E) -> (C, C), (U, C)
WITH_KNOWN = ("with known actions", "with those of them that are like no unseen action")
SMALL_POWERS = (0.0, -0.125, -0.25, -0.375, -0.5)


def linear(seen: Floats, unseen: Floats, levels: tuple[int, ...] = (0, 1, 2)) -> tuple[Floats, Floats]:
    """Inner products of texts around the mean of the seen ones."""
    rows, others = (texts[:, levels].reshape(len(texts), -1) for texts in (seen, unseen))
    centred = rows - rows.mean(axis=0)
    return centred @ centred.T, (others - rows.mean(axis=0)) @ centred.T


def radial(seen: Floats, unseen: Floats, narrowness: float = 3.0) -> tuple[Floats, Floats]:
    """exp(-narrowness * squared distance / its median over seen pairs), centred as `linear` is."""
    rows, others = (texts.reshape(len(texts), -1) for texts in (seen, unseen))
    between = [((texts[:, None] - rows) ** 2).sum(axis=-1) for texts in (rows, others)]
    scale = narrowness / np.median(between[0][~np.eye(len(rows), dtype=bool)])
    kernel, other = (np.exp(-scale * squared) for squared in between)
    column, all_pairs = kernel.mean(axis=0), kernel.mean()
    return kernel - column - column[:, None] + all_pairs, other - column - other.mean(axis=1)[:, None] + all_pairs


@dataclass(frozen=True)
class Way:
    """A ridge: clips are whitened by these powers of S (several: the best is chosen on the seen actions)."""

    powers: tuple[float, ...] = (-0.25,)
    kernels: Kernels = linear
    before: Callable[[Floats], Floats] = lambda features: features
    back: bool = False  # the mean of two regressions: from texts to clips, and from clips to texts

    def scores(self, data: TrainingData, seen: Floats, unseen: Floats, clips: NDArray[np.float32]) -> Floats:
        """Scores of clips (N, D) against the unseen texts (U, L, E), (N, U); `seen` is (C, L, E)."""
        train, others = (self.before(part.astype(np.float64)) for part in (data.skeletons, clips))
        kernel, other_kernel = self.kernels(seen, unseen)
        spaces = [whitening(train, data.text_row, power) for power in self.powers]
        if len(spaces) > 1:
            spaces.sort(key=lambda space: likelihood(train, data, space, kernel))
        centre, matrix = spaces[-1]
        means = class_means((train - centre) @ matrix, data.text_row)  # (C, D)
        cosines = unit((others - centre) @ matrix) @ unit(regression(kernel, other_kernel, means)).T  # (N, U)
        if not self.back:
            return cosines
        texts, named = seen.reshape(len(seen), -1), unseen.reshape(len(unseen), -1)
        predicted = regression(means @ means.T, (others - centre) @ matrix @ means.T, texts - texts.mean(axis=0))
        back = unit(predicted) @ unit(named - texts.mean(axis=0)).T  # (N, U)
        return np.asarray(cosines / cosines.std() + back / back.std())


def whitening(features: Floats, row: NDArray[np.int64], power: float) -> tuple[Floats, Floats]:
    """Centre (D,) and matrix (D, D) of models/feature_space.py, for any power of S."""
    from sklearn.covariance import ledoit_wolf

    means, deviation = class_means(features, row), features.std(axis=0)
    deviation[deviation == 0] = 1
    values, vectors = np.linalg.eigh(ledoit_wolf((features - means[row]) / deviation, assume_centered=True)[0])
    matrix = (vectors * np.maximum(values, LEAST_VARIANCE) ** power) @ vectors.T
    return means.mean(axis=0), matrix / deviation[:, None]


def regression(kernel: Floats, other: Floats, targets: Floats) -> Floats:
    """Predict targets (C, K) for other rows, (U, K), at the strength with the smallest left-out error."""
    size = max(kernel.diagonal().mean(), 1e-12)
    strength = min(STRENGTHS, key=lambda tried: ((targets - left_out(kernel, targets, tried * size)) ** 2).sum())
    return np.asarray(other @ np.linalg.solve(kernel + strength * size * np.eye(len(kernel)), targets))


def left_out(kernel: Floats, targets: Floats, ridge: float) -> Floats:
    """Predict each row of `targets` by the regression on the others, (C, K)."""
    hat = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), kernel)
    return np.asarray(targets - (targets - hat @ targets) / (1 - hat.diagonal())[:, None])


def likelihood(train: Floats, data: TrainingData, space: tuple[Floats, Floats], kernel: Floats) -> float:
    """How well clips fit the left-out prediction of their own action: the best mean log-probability per action."""
    clips = (train - space[0]) @ space[1]
    means, size = class_means(clips, data.text_row), max(kernel.diagonal().mean(), 1e-12)
    tried = [left_out(kernel, means, strength * size) for strength in STRENGTHS]
    cosines = unit(clips) @ unit(min(tried, key=lambda predicted: ((means - predicted) ** 2).sum())).T  # (N, C)
    best = -np.inf
    for temperature in (0.03, 0.05, 0.1, 0.2, 0.5):
        logits = cosines / temperature
        own = logits[np.arange(len(clips)), data.text_row] - np.logaddexp.reduce(logits, axis=1)
        best = max(best, class_means(own[:, None], data.text_row).mean())
    return float(best)


def unit(rows: Floats) -> Floats:
    """Rows of length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def of_levels(*levels: int) -> Kernels:
    """`linear` on some of LEVELS."""
    return lambda seen, unseen: linear(seen, unseen, levels)


ROWS: Mapping[str, Way] = {
    **{f"whitened by S^{power:g}": Way((power,)) for power in SMALL_POWERS if power != -0.25},
    "power of S chosen on the seen actions": Way(SMALL_POWERS),
    **{f"{level} alone": Way(kernels=of_levels(place)) for place, level in enumerate(LEVELS)},
    "without the label": Way(kernels=of_levels(1, 2)),
    "cube roots of the features": Way(before=np.cbrt),
    "radial kernel of the texts": Way(kernels=radial),
    "cube roots, radial kernel": Way(before=np.cbrt, kernels=radial),
    "also from clips to texts": Way(back=True),
}


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    for name, value in (("sets", 60), ("unseen", 5), ("val-unseen", 4)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--known", default="", help="ntu60, ntu120, pku51 or a CSV of texts")
    arguments = parser.parse_args()
    try:
        clips = read_clips(arguments.features)
        texts = encoded(read_descriptions(arguments.texts), arguments.encoder)
        known = known_of(arguments.features, arguments.known, arguments.encoder) if arguments.known else None
        require_texts(clips[1], texts, arguments.unseen + arguments.val_unseen)
    except (DataError, DescriptionError, ModelError, OSError, PipelineError) as error:
        parser.error(str(error))
    sets = range(arguments.sets)
    counts = arguments.unseen, arguments.val_unseen
    values = np.array([measure(clips, texts, number, *counts, known) for number in sets])
    print(f"{len(values)} sets; mean ± standard error")
    print("| row | ZSL | above the program's ridge |\n|---|---|---|")
    names = ("the program's ridge", *ROWS, *(WITH_KNOWN if known else []))
    for name, of_row in zip(names, values.T, strict=True):
        print(f"| {name} | {mean_and_error(of_row)} | {mean_and_error(of_row - values[:, 0])} |")


def measure(
    clips: Any,
    texts: Mapping[int, NDArray[np.float32]],
    number: int,
    unseen: int,
    val_unseen: int,
    known: KnownActions | None = None,
) -> list[float]:
    """ZSL on one set of unseen actions, in percent: of the program's ridge, of ROWS, of the ridge with `known`."""
    features, action, subject, train = clips
    held_out = choose_held_out(action, subject, train, HELD_OUT, config_of([]).seed)
    split = drawn_split(action, number, unseen, val_unseen)
    data, test = phase_parts("test", split, features, action, train, held_out, texts)

    def programs(known: KnownActions | None) -> NDArray[np.float64]:
        ridge = RidgeAligner()
        states, _ = ridge.fit(replace(data, known=known), (0, 0), torch.device("cpu"), lambda cycle, row: None)
        return ridge.scorer(states[-1], test.unseen_texts, (0, 0)).probabilities(test.features)

    pair = test.seen_texts, test.unseen_texts
    seen, others = (rows.reshape(len(rows), len(LEVELS), -1).astype(np.float64) for rows in pair)
    scores = [programs(None)]
    scores += [way.scores(data, seen, others, test.features) for way in ROWS.values()]
    if known:
        unlike = likeness(test.unseen_texts, known.texts).max(axis=0) < NEAR
        scores += [programs(known), programs(KnownActions(known.weight[unlike], known.texts[unlike]))]
    return [test.zsl_top1(of_row) for of_row in scores]


if __name__ == "__main__":
    main()
