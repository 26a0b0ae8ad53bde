"""Clips are scored some at a time, which changes no score. Scorers of cosines can be moved."""

import numpy as np
import pytest
import torch

import models.aligners.protocol as protocol
from models.aligners.averaged import average
from models.aligners.cosines import CosineScorer
from models.aligners.protocol import Scorer
from models.feature_kinds import FeatureKind
from models.feature_space import FeatureSpace, class_means


class Watched(CosineScorer):
    """A scorer of three actions that keeps how many clips it saw at once."""

    def __init__(self, seed: int) -> None:
        super().__init__(None, torch.randn(3, 8, generator=torch.Generator().manual_seed(seed)), 0.1)
        self.seen: list[int] = []

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(features))
        return super().forward(features)


def features(clips: int) -> np.ndarray:
    return np.random.default_rng(clips).normal(size=(clips, 8)).astype(np.float32)


@pytest.mark.parametrize("clips", [1, 10, 11, 25])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_blocks_of_one_size_are_scored_as_all_at_once(
    seeds: tuple[int, ...], clips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CLIPS_AT_A_TIME", 10)
    parts = [Watched(seed) for seed in seeds]
    scorer: Scorer = average(parts)
    with torch.no_grad():
        whole = scorer(torch.from_numpy(features(clips)))
    for part in parts:
        part.seen.clear()
    np.testing.assert_allclose(scorer.probabilities(features(clips)), whole.double().numpy(), rtol=1e-6)
    for part in parts:
        assert sum(part.seen) == clips
        assert max(part.seen) - min(part.seen) <= 1
        assert max(part.seen) <= 10


@pytest.mark.parametrize("features_are", ["given", "whitened"])
def test_a_moved_scorer_is_that_of_other_class_means(features_are: FeatureKind) -> None:
    generator = np.random.default_rng(0)
    row, changes = np.arange(40) % 4, generator.normal(size=(4, 8)).astype(np.float32)
    clips = generator.normal(size=(40, 8)).astype(np.float32)
    space = None if features_are == "given" else FeatureSpace.fit(clips, row, features_are)
    means = torch.from_numpy(class_means(clips, row)).float()  # (4, 8)
    others = torch.randn(2, 8)

    def scorer(of_seen: torch.Tensor, temperature: float) -> CosineScorer:
        in_space = of_seen if space is None else space(of_seen)
        return CosineScorer(space, torch.cat((in_space, others)), temperature)

    for average_of in ([0.1], [0.1, 0.3]):
        moved = average([scorer(means, temperature) for temperature in average_of]).moved(changes)
        wanted = average([scorer(means + torch.from_numpy(changes), temperature) for temperature in average_of])
        np.testing.assert_allclose(moved.probabilities(clips), wanted.probabilities(clips), atol=1e-6)
