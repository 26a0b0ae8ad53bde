import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from models.backbone.checkpoint import load_network, save_network
from models.errors import ModelError
from models.shift_gcn.network import ShiftGCN
from tests.shared.made_networks import literal_twin, lively_network, made_clips


def published_state(network: ShiftGCN) -> dict[str, Tensor]:
    """The state in the layout of the published files: with x offsets and index tables as parameters."""
    state = {name: tensor.detach().clone() for name, tensor in literal_twin(network).state_dict().items()}
    for name in state:
        if name.endswith("xpos"):
            state[name].uniform_(-1e-9, 1e-9)
    return state


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


def test_own_files_load(tmp_path: Path) -> None:
    network = lively_network(3)
    path = tmp_path / "test.safetensors"
    save_network(path, network, {"stage": "backbone"})
    loaded = load_network(path)
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in network.state_dict().items())
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["stage"] == "backbone"
        assert re.fullmatch("[0-9a-f]{64}", file.metadata()["fingerprint"])


def faulty(state: dict[str, Tensor], fault: str) -> object:
    if fault == "missing":
        del state["l3.tcn1.bn.weight"]
    elif fault == "extra":
        state["l11.gcn1.Linear_bias"] = torch.zeros(1)
    elif fault == "shape":
        state["l2.gcn1.Linear_weight"] = torch.zeros(64, 32)
    elif fault == "no classifier":
        del state["fc.weight"]
    elif fault == "x offset":
        state["l4.tcn1.shift_in.xpos"][3] = 0.5
    elif fault == "index":
        state["l4.gcn1.shift_out"] = state["l4.gcn1.shift_out"].flip(0)
    elif fault == "tensor":
        return state["fc.weight"]
    elif fault == "object":
        return {"fc.weight": Path("x")}
    return state


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "missing: l3.tcn1.bn.weight"),
        ("extra", "unknown: l11.gcn1.Linear_bias"),
        ("shape", r"l2.gcn1.Linear_weight is \(64, 32\) instead of \(64, 64\)"),
        ("no classifier", "has no classifier fc.weight"),
        ("x offset", "l4.tcn1.shift_in.xpos reaches 0.5"),
        ("index", "l4.gcn1.shift_out is another spatial shift"),
        ("tensor", "holds a Tensor, not tensors by name"),
        ("object", "can't be read as a checkpoint"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, fault: str, message: str) -> None:
    path = tmp_path / "weights.pt"
    torch.save(faulty(published_state(ShiftGCN(60)), fault), path)
    with pytest.raises(ModelError, match=message) as error:
        load_network(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"PK\x03\x04 cut short"])
def test_files_that_are_no_checkpoint(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match="can't be read as a checkpoint"):
        load_network(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such file; backbone.weights names"):
        load_network(tmp_path / "weights.pt")
