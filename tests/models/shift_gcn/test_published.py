from pathlib import Path

import pytest
import torch

from models.backbone.checkpoint import load_network
from models.errors import ModelError
from models.shift_gcn.network import ShiftGCN
from tests.shared.made_networks import literal_twin, lively_network, made_clips, published_state


@pytest.mark.parametrize("classes", [60, 120])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_files_load_and_compute_the_same(tmp_path: Path, classes: int, prefix: str) -> None:
    network = lively_network(classes).eval()
    path = tmp_path / "ntu_ShiftGCN_joint_xsub.pt"
    torch.save({prefix + name: tensor for name, tensor in published_state(network).items()}, path)
    loaded = load_network(path)
    assert not loaded.training
    clips = made_clips(2, 9, 1)
    with torch.no_grad():
        torch.testing.assert_close(loaded(clips), literal_twin(network)(clips), rtol=1e-4, atol=1e-4)


def test_an_x_offset_that_is_not_zero_is_refused(tmp_path: Path) -> None:
    state = published_state(ShiftGCN(60))
    state["l4.tcn1.shift_in.xpos"][3] = 0.5
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"weights.pt: l4.tcn1.shift_in.xpos reaches 0.5"):
        load_network(tmp_path / "weights.pt")


def test_another_spatial_shift_is_refused(tmp_path: Path) -> None:
    state = published_state(ShiftGCN(60))
    state["l4.gcn1.shift_out"] = state["l4.gcn1.shift_out"].flip(0)
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"weights.pt: l4.gcn1.shift_out is another spatial shift"):
        load_network(tmp_path / "weights.pt")
