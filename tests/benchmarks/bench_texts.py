"""Measures how well texts predict motion, by ridge regression over many random choices of unseen actions.

    python tests/benchmarks/bench_texts.py WORKSPACE [--unseen 5] [--splits 1000] [--ridge 0.1]

The workspace needs features/test.h5 and text.h5. For each choice, a ridge regression learns from the other actions to
map an action's text to its mean feature. Then each clip of an unseen action gets the unseen action whose predicted
feature is nearest, by cosine after the mean of the seen actions is subtracted. So does the mean of each unseen action.

Accuracies are printed for each level, for all levels together, and for texts shuffled between actions, which is chance.
The last column is for the workspace's own unseen actions, which its backbone never saw. The other choices are easier
than a real zero-shot task, because the backbone was trained on most of their unseen actions.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from data.stores.feature_store import read_features
from data.stores.text_store import TextFeatures, read_text_features
from pipeline.workspace.folder import Workspace

Matrix = NDArray[np.float64]


def unit(rows: Matrix) -> Matrix:
    """`rows` (n, D) scaled to length 1."""
    normalised: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return normalised


def text_variants(
    text: TextFeatures, rows: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[str, Matrix]]:
    """Names and unit text features (c, D) of c actions: each level, all levels together, and these shuffled."""
    levels = [level for level in ("label", "local", "global") if level in text.features]
    together = np.concatenate([text.features[level][rows] for level in levels], axis=1).astype(np.float64)
    for level in levels:
        yield level, unit(text.features[level][rows].astype(np.float64))
    yield "together", unit(together)
    yield "shuffled", unit(rng.permutation(together))


def accuracies(
    texts: Matrix, clips: Matrix, action: NDArray[np.int64], unseen: NDArray[np.int64], ridge: float
) -> tuple[float, float]:
    """The share of unseen actions whose mean is named right, and the share of their clips, averaged over actions.

    `action` (n,) and `unseen` (u,) are row numbers of `texts` (c, D_t); `clips` are (n, D).
    """
    means = np.stack([clips[action == index].mean(axis=0) for index in range(len(texts))])  # (c, D)
    seen = np.setdiff1d(np.arange(len(texts)), unseen)
    model = Ridge(alpha=ridge).fit(texts[seen], means[seen])
    centre = means[seen].mean(axis=0)
    predicted = unit(model.predict(texts[unseen]) - centre)  # (u, D)
    by_mean = (unit(means[unseen] - centre) @ predicted.T).argmax(axis=1) == np.arange(len(unseen))
    by_clip = [
        ((unit(clips[action == index] - centre) @ predicted.T).argmax(axis=1) == column).mean()
        for column, index in enumerate(unseen)
    ]
    return float(by_mean.mean()), float(np.mean(by_clip))


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the texts of a workspace predict its motion features.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--unseen", type=int, default=5, help="unseen actions in a random choice")
    parser.add_argument("--splits", type=int, default=1000, help="random choices")
    parser.add_argument("--ridge", type=float, default=0.1)
    arguments = parser.parse_args()
    workspace = Workspace(arguments.workspace)
    features, text = read_features(workspace.features("test")), read_text_features(workspace.text)
    actions = np.intersect1d(features.action, text.action)
    described = np.isin(features.action, actions)
    clips = features.features[described].astype(np.float64)
    action = np.searchsorted(actions, features.action[described])
    own = np.flatnonzero(~np.isin(actions, features.logit_actions))
    rng = np.random.default_rng(0)
    choices = [rng.choice(len(actions), arguments.unseen, replace=False) for _ in range(arguments.splits)]
    print(f"{len(actions)} actions, {len(clips)} clips; {arguments.unseen} unseen, {arguments.splits} choices")
    print(f"chance {100 / arguments.unseen:.1f} %; for the workspace's own unseen, {100 / max(len(own), 1):.1f} %")
    for name, rows in text_variants(text, np.searchsorted(text.action, actions), rng):
        scores = np.array([accuracies(rows, clips, action, unseen, arguments.ridge) for unseen in choices])
        by_mean, by_clip = 100 * scores.mean(axis=0)
        own_score = accuracies(rows, clips, action, own, arguments.ridge) if len(own) else (np.nan, np.nan)
        print(
            f"{name:<9} means {by_mean:5.1f} %  clips {by_clip:5.1f} %   "
            f"own unseen: means {100 * own_score[0]:5.1f} %  clips {100 * own_score[1]:5.1f} %"
        )


if __name__ == "__main__":
    main()
