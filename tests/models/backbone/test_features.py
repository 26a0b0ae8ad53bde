from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.backbone.features import clip_features
from models.shift_gcn.folded import FoldedShiftGCN, Scratch
from tests.shared.made_networks import lively_network, made_clips

CLIPS = made_clips(7, 16, 3).numpy()


@pytest.fixture
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_features_are_those_of_the_network() -> None:
    network = lively_network(5).eval()
    features, logits = clip_features(network, np.arange(7), lambda clips: CLIPS[clips], 4)
    with torch.no_grad():
        np.testing.assert_allclose(features, network.features(torch.from_numpy(CLIPS)), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(logits, network(torch.from_numpy(CLIPS)), rtol=1e-4, atol=1e-4)


def test_nothing_depends_on_batches_order_or_threads(threads: int) -> None:
    network = lively_network(5)
    wanted = clip_features(network, np.arange(7), lambda clips: CLIPS[clips], 7)
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    for batch_size, number in ((1, 1), (2, 2), (3, 3)):
        torch.set_num_threads(number)
        found = clip_features(network, order, lambda clips: CLIPS[clips], batch_size)
        assert torch.get_num_threads() == number
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other[order])


def test_an_empty_second_body_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    compute = FoldedShiftGCN.body_features

    def counting(self: FoldedShiftGCN, body: Tensor, slot: int, scratch: Scratch) -> Tensor:
        computed.append(slot)
        return compute(self, body, slot, scratch)

    monkeypatch.setattr(FoldedShiftGCN, "body_features", counting)
    clip_features(lively_network(3), np.arange(7), lambda clips: CLIPS[clips], 2)
    assert computed.count(0) == 7
    assert computed.count(1) == 3 + 1


def test_clips_of_several_lengths_and_the_mode_of_the_network() -> None:
    network = lively_network(3).train()
    lengths = [8, 13]
    told: list[int] = []

    def batch(clips: NDArray[np.int64]) -> NDArray[np.float32]:
        return CLIPS[clips, :, : lengths[clips[0]]]

    features, _ = clip_features(network, np.arange(2), batch, 1, told.append)
    assert told == [1, 1]
    assert network.training
    network.eval()
    with torch.no_grad():
        for clip, frames in enumerate(lengths):
            wanted = network.features(torch.from_numpy(CLIPS[clip : clip + 1, :, :frames]))[0]
            np.testing.assert_allclose(features[clip], wanted, rtol=1e-5, atol=1e-5)
