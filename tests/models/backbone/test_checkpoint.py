import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from models.backbone.checkpoint import load_network, network_fingerprint, save_network
from models.backbone.networks import NETWORKS
from models.backbone.settings import BackboneSettings
from models.errors import ModelError
from models.shift_gcn.network import ShiftGCN
from tests.shared.made_networks import lively_network, published_state
from tests.shared.small_backbone import JointMLP


def test_own_files_load(tmp_path: Path) -> None:
    network = lively_network(3)
    path = tmp_path / "test.safetensors"
    save_network(path, network, {"stage": "backbone"})
    loaded = load_network(path)
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in network.state_dict().items())
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["stage"] == "backbone"
        assert re.fullmatch("[0-9a-f]{64}", file.metadata()["fingerprint"])


def test_a_file_is_read_as_the_network_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "joint-mlp", "tests.shared.small_backbone:JointMLP")
    settings = BackboneSettings(network="joint-mlp")
    network = JointMLP(3, torch.Generator().manual_seed(0))
    path = tmp_path / "test.safetensors"
    save_network(path, network, {})
    loaded = load_network(path, settings)
    assert isinstance(loaded, JointMLP)
    assert network_fingerprint(loaded) == network_fingerprint(network)
    with pytest.raises(ModelError, match=r"fc.weight \(classes, 256\), so it is not a Shift-GCN checkpoint"):
        load_network(path)
    save_network(path, lively_network(3), {})
    with pytest.raises(ModelError, match=r"fc.weight \(classes, 24\), so it is not a joint MLP checkpoint"):
        load_network(path, settings)


def faulty(state: dict[str, Tensor], fault: str) -> object:
    if fault == "missing":
        del state["l3.tcn1.bn.weight"]
    elif fault == "extra":
        state["l11.gcn1.Linear_bias"] = torch.zeros(1)
    elif fault == "shape":
        state["l2.gcn1.Linear_weight"] = torch.zeros(64, 32)
    elif fault == "no classifier":
        del state["fc.weight"]
    elif fault == "nan":
        state["l3.tcn1.bn.weight"][0] = torch.nan
    elif fault == "variance":
        state["l3.tcn1.bn.running_var"][0] = -1
    elif fault == "two states":
        return {"teacher": state, "student": state}
    elif fault == "no state":
        return {"epoch": 3, "lr": 0.1}
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
        ("nan", "NaN or infinite: l3.tcn1.bn.weight"),
        ("variance", "negative: l3.tcn1.bn.running_var"),
        ("two states", r"several states of tensors \(teacher, student\)"),
        ("no state", "no state of tensors by name under its keys epoch, lr"),
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


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "weights"])
@pytest.mark.parametrize("prefix", ["", "model.", "module.module."])
def test_a_state_is_found_where_other_programs_put_it(tmp_path: Path, key: str, prefix: str) -> None:
    state = published_state(ShiftGCN(60))
    path = tmp_path / "weights.pt"
    torch.save({"epoch": 3, key: {prefix + name: tensor for name, tensor in state.items()}}, path)
    assert torch.equal(load_network(path).fc.weight, state["fc.weight"])


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
