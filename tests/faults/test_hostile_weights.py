"""Hostile checkpoints: no code in them is run, and reading them takes little memory."""

import json
import os
import pickle
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from data.errors import DataError
from models.backbone.checkpoint import load_network, save_network
from models.errors import ModelError
from models.shift_gcn.network import ShiftGCN
from pipeline.messages.errors import PipelineError
from pipeline.stages.given_backbone import given_backbone
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance, read_record
from pipeline.workspace.tensor_store import read_state
from tests.shared.made_features import Made, made_workspace
from tests.shared.mutations import MUTATIONS

CLASSES = 5
GROWTH_BYTES = 300 << 20
CHILD = """
import sys
from pathlib import Path
from models.backbone.checkpoint import load_network
from tests.fuzz.readers import peak_bytes
before = peak_bytes()
for path in sys.argv[1:]:
    try:
        load_network(Path(path))
    except Exception as error:
        print(type(error).__name__, peak_bytes() - before)
"""


def state() -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in ShiftGCN(CLASSES).state_dict().items()}


class Harm:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["pickle", "archive", "old"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, form: str) -> None:
    path, harmed = tmp_path / "weights.pt", tmp_path / "harmed"
    content = {**state(), "fc.weight": Harm(harmed)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "archive")
    with pytest.raises(ModelError, match="holds more than tensors, and is not run"):
        load_network(path)
    assert not harmed.exists()
    if form == "pickle":
        pickle.loads(path.read_bytes())
        assert harmed.exists()  # so unpickling the file does harm


ODD: dict[str, tuple[dict[str, Tensor], str]] = {
    "expanded": ({"fc.weight": torch.zeros(1, 1).expand(10**9, 256)}, "in a file of"),
    "no-columns": ({"fc.weight": torch.zeros(10**12, 0)}, "has no classifier"),
    "other-columns": ({"fc.weight": torch.zeros(5, 255)}, "has no classifier"),
    "no-classes": ({"fc.weight": torch.zeros(0, 256)}, "has no classifier"),
    "complex": ({"fc.weight": torch.zeros(CLASSES, 256, dtype=torch.complex64)}, "complex64"),
    "integers": ({"fc.bias": torch.zeros(CLASSES, dtype=torch.int64)}, "types: fc.bias holds int64"),
    "sparse": ({"fc.weight": torch.eye(CLASSES, 256).to_sparse()}, "sparse_coo"),
    "meta": ({"fc.weight": torch.zeros(CLASSES, 256, device="meta")}, "meta"),
    "number": ({"l1.gcn1.shift_in": torch.tensor(5)}, "another spatial shift"),
    "nan-offset": ({"l1.tcn1.shift_in.xpos": torch.tensor([float("nan")])}, "reaches nan"),
}


@pytest.mark.parametrize("name", list(ODD))
def test_odd_tensors_are_refused(tmp_path: Path, name: str) -> None:
    tensors, message = ODD[name]
    path = tmp_path / "weights.pt"
    torch.save({**state(), **tensors}, path)
    with pytest.raises(ModelError, match=message) as refused:
        load_network(path)
    assert "\n" not in str(refused.value)


def bomb(path: Path) -> Path:
    """Write a checkpoint of 500 MB of zeros, packed into half a MB, without holding them in memory."""
    torch.save({"fc.weight": torch.zeros(256, 256)}, path)
    whole = {}
    with zipfile.ZipFile(path) as archive:
        whole = {member.filename: archive.read(member) for member in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in whole.items():
            with archive.open(name, "w") as member:
                for _ in range(2048 if len(content) > 1 << 16 else 1):
                    member.write(content)
    return path


def huge_header(path: Path) -> Path:
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    return path


def test_memory_stays_bounded(tmp_path: Path) -> None:
    expanded = tmp_path / "expanded.pt"
    torch.save({**state(), **ODD["expanded"][0]}, expanded)
    paths = [str(expanded), str(bomb(tmp_path / "bomb.pt")), str(huge_header(tmp_path / "huge.safetensors"))]
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, *paths],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)),
    )
    outcomes = [line.split() for line in ended.stdout.splitlines()]
    assert [error for error, _ in outcomes] == ["ModelError"] * 3
    assert max(int(grown_bytes) for _, grown_bytes in outcomes) < GROWTH_BYTES


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"fc.weight": {"dtype": "F32", "shape": [10**12, 256], "data_offsets": [0, 4]}}, b"abcd"),
        ({"fc.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1 << 60]}}, b"abcd"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1],
          "data_offsets": [0, 4]}}, b"abcd"),
        ({"fc.weight": {"dtype": "F999", "shape": [1], "data_offsets": [0, 4]}}, b"abcd"),
        ({"fc.weight": {"dtype": "F32", "shape": [10**12, 0], "data_offsets": [0, 0]}}, b""),
        ({"__metadata__": {"a": 1}}, b""),
        ([], b""),
    ],
)  # fmt: skip
def test_headers_of_safetensors_that_lie_are_refused(tmp_path: Path, header: object, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    with pytest.raises(ModelError, match="safetensors: "):
        load_network(path)
    with pytest.raises((DataError, PipelineError), match="safetensors: "):
        read_record(path)
    with pytest.raises(DataError, match=r"`fsvae-pipe (run|train)`"):
        read_state(path, 5, "test", 1)


@pytest.mark.parametrize(
    "actions", ["", "[" * 100_000, '"12345"', "[1,2,3,4]", "[1,1,2,3,4]", "[0,1,2,3,4]", "[1.0]", "{}"]
)
def test_a_record_without_actions_is_refused(tmp_path: Path, actions: str) -> None:
    save_network(tmp_path / "given.safetensors", ShiftGCN(CLASSES), {"format_version": "1", "actions": actions})
    made = made_workspace(tmp_path, Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=3, test_clips=2))
    config = build_config({"backbone": {"weights": "given.safetensors"}}, "made")
    with pytest.raises(PipelineError, match="its record"):
        given_backbone(Context(made.workspace, config, tmp_path / "config.toml", made.console))


@pytest.mark.parametrize("settings", ["[]", "1", "[" * 100_000, "", "null"])
def test_a_record_of_other_things_is_refused(settings: str) -> None:
    record = {"stage": "train", "stage_version": "1", "settings": settings, "inputs": "{}"}
    with pytest.raises(PipelineError, match="is not whole"):
        Provenance.from_record(record)


@pytest.mark.parametrize("form", ["archive", "old", "safetensors"])
def test_mutated_checkpoints_are_read_or_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pt")
    small = {"fc.weight": torch.zeros(2, 256), "fc.bias": torch.zeros(2)}
    if form == "safetensors":
        save_file(small, path)
    else:
        torch.save(small, path, _use_new_zipfile_serialization=form == "archive")
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for _ in range(100):
        path.write_bytes(MUTATIONS[int(rng.integers(3))](whole, rng))
        with pytest.raises(ModelError):
            load_network(path)
