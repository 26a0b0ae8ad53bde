"""Clips are scored some at a time. That changes no score."""

import numpy as np
import pytest
import torch

import models.aligners.protocol as protocol
from models.aligners.averaged import average
from models.aligners.cosines import CosineScorer
from models.aligners.protocol import Scorer


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
