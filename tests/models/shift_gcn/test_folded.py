import pytest
import torch

from models.shift_gcn.folded import Buffers, FoldedShiftGCN
from tests.shared.made_networks import lively_network, made_clips


@pytest.mark.parametrize(("frames", "offset_frames"), [(16, 1.0), (21, 4.0), (9, 40.0)], ids=["even", "odd", "beyond"])
def test_equals_the_plain_network(frames: int, offset_frames: float) -> None:
    network = lively_network(4, offset_frames=offset_frames).eval()
    clips = made_clips(3, frames, 2)
    with torch.inference_mode():
        folded, buffers = FoldedShiftGCN(network, frames), Buffers()
        found = torch.stack(
            [
                torch.stack([folded.body_features(clip[..., slot], slot, buffers) for slot in (0, 1)]).mean(0)
                for clip in clips
            ]
        )
        torch.testing.assert_close(found, network.features(clips), rtol=1e-5, atol=1e-5)


def test_one_body_leaves_nothing_for_the_next() -> None:
    network = lively_network(4).eval()
    one, other = made_clips(2, 12, 0)[..., 0]
    with torch.inference_mode():
        folded, buffers = FoldedShiftGCN(network, 12), Buffers()
        alone = folded.body_features(one, 0, Buffers())
        folded.body_features(other * 100, 1, buffers)
        assert torch.equal(folded.body_features(one, 0, buffers), alone)
        assert torch.equal(folded.body_features(one, 0, buffers), alone)


def test_weights_are_copied() -> None:
    network = lively_network(4).eval()
    body = made_clips(1, 8, 0)[0, ..., 0]
    with torch.no_grad():
        folded = FoldedShiftGCN(network, 8)
        before = folded.body_features(body, 0, Buffers())
        for tensor in network.state_dict().values():
            tensor.zero_()
        assert torch.equal(folded.body_features(body, 0, Buffers()), before)
