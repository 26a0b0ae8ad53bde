from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.backbone.features import clip_features
from models.backbone.protocol import Backbone
from tests.shared.made_networks import lively_network, made_clips
from tests.shared.small_backbone import JointMLP

CLIPS = made_clips(7, 16, 3).numpy()


@pytest.fixture
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


@pytest.fixture(params=["shift-gcn", "joint-mlp"])
def network(request: pytest.FixtureRequest) -> Backbone:
    """A network that computes features in its own way, and one that leaves it to the defaults."""
    if request.param == "joint-mlp":
        return JointMLP(5, torch.Generator().manual_seed(0))
    return lively_network(5)


def test_features_are_those_of_the_network(network: Backbone) -> None:
    network.eval()
    features, logits = clip_features(network, np.arange(7), lambda clips: CLIPS[clips], 4)
    assert features.shape == (7, network.num_features)
    with torch.no_grad():
        np.testing.assert_allclose(features, network.features(torch.from_numpy(CLIPS)), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(logits, network(torch.from_numpy(CLIPS)), rtol=1e-4, atol=1e-4)


def test_nothing_depends_on_batches_order_or_threads(network: Backbone, threads: int) -> None:
    wanted = clip_features(network, np.arange(7), lambda clips: CLIPS[clips], 7)
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    for batch_size, number in ((1, 1), (2, 2), (3, 3)):
        torch.set_num_threads(number)
        found = clip_features(network, order, lambda clips: CLIPS[clips], batch_size)
        assert torch.get_num_threads() == number
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other[order])


def test_clips_of_several_lengths_and_the_mode_of_the_network(network: Backbone) -> None:
    network.train()
    lengths = [8, 13]
    counted: list[int] = []

    def batch(clips: NDArray[np.int64]) -> NDArray[np.float32]:
        return CLIPS[clips, :, : lengths[clips[0]]]

    features, _ = clip_features(network, np.arange(2), batch, 1, counted.append)
    assert counted == [1, 1]
    assert network.training
    network.eval()
    with torch.no_grad():
        for clip, frames in enumerate(lengths):
            wanted = network.features(torch.from_numpy(CLIPS[clip : clip + 1, :, :frames]))[0]
            np.testing.assert_allclose(features[clip], wanted, rtol=1e-5, atol=1e-5)
