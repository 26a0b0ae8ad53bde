import pytest
import torch

from models.shift_gcn.plain import PlainShiftGCN
from tests.shared.made_networks import lively_network, made_clips


@pytest.mark.parametrize(
    ("frames", "offset_frames"), [(4, 1.0), (16, 1.0), (21, 4.0), (9, 40.0)], ids=["few", "even", "odd", "beyond"]
)
def test_equals_the_network(frames: int, offset_frames: float) -> None:
    network = lively_network(4, offset_frames=offset_frames).eval()
    clips = made_clips(3, frames, 2)
    with torch.no_grad():
        torch.testing.assert_close(PlainShiftGCN(network)(clips), network.features(clips), rtol=1e-5, atol=1e-5)


def test_it_holds_constants_alone() -> None:
    network = lively_network(4).eval()
    plain = network.plain()
    assert not list(plain.parameters())
    with torch.no_grad():
        before = plain(made_clips(1, 8, 1))
        for tensor in network.state_dict().values():
            tensor.zero_()
        assert torch.equal(plain(made_clips(1, 8, 1)), before)
