"""A network of one's own goes through every command: one class, one entry in NETWORKS, one setting."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

from data.phase_names import PHASES
from data.stores.feature_store import read_features, read_head
from models.backbone.networks import NETWORKS
from models.backbone.state import reports_from_text
from pipeline.cli.main import main
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import read_record
from tests.conftest import lay_out
from tests.shared.small_backbone import FEATURES

SEEN, UNSEEN = 6, 2


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "joint-mlp", "tests.shared.small_backbone:JointMLP")
        yield


def command(root: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["-w", str(root), *arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path, tiny_workspace_config: str) -> Path:
    """A workspace whose backbones are the second network, after all stages."""
    folder = tmp_path_factory.mktemp("second")
    config = tiny_workspace_config.replace("[backbone]", '[backbone]\nnetwork = "joint-mlp"')
    for before, after in (("epochs = 6", "epochs = 30"), ("learning_rate = 0.005", "learning_rate = 0.05")):
        config = config.replace(before, after)
    lay_out(folder, tiny_raw, config)
    printed = command(folder, "run")
    assert "test phase: training a joint MLP on" in printed
    return folder


def test_features_have_the_width_of_the_network(root: Path) -> None:
    for phase in PHASES:
        path = Workspace(root).features(phase)
        features = read_features(path)
        assert features.features.shape[1] == FEATURES
        assert features.head is not None
        np.testing.assert_allclose(features.head.logits(features.features), features.logits, rtol=1e-4, atol=1e-5)
        reports = reports_from_text(read_record(Workspace(root).backbone(phase))["reports"])
        assert reports[-1].train_top1 > 2 * 100 / len(features.logit_actions)


def test_all_stages_are_done_and_another_network_makes_extract_stale(root: Path) -> None:
    assert "every stage is up to date" in command(root, "status")
    printed = command(root, "status", "--set", "backbone.network=shift-gcn")
    assert 'backbone.network changed from "joint-mlp" to "shift-gcn"' in printed
    assert "mean" in json.loads((root / "runs" / "default" / "results.json").read_text("utf-8"))


def test_a_raw_clip_is_named(root: Path) -> None:
    clip = next((root / "raw" / "setup1").glob("*P001*R001A004*"))
    done = CliRunner().invoke(main, ["-w", str(root), "predict", str(clip), "--json", "--mode", "zsl"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert {row["action"] for row in answer["actions"]} == {"A001", "A007"}
    assert sum(row["probability"] for row in answer["actions"]) == pytest.approx(1, abs=1e-4)


def test_the_run_is_exported(root: Path, tmp_path: Path) -> None:
    assert "largest difference from PyTorch: " in command(root, "export", str(tmp_path / "model"))
    about = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))
    assert about["outputs"]["features"] == f"(batch, {FEATURES}), the backbone's"
    session = onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx", providers=["CPUExecutionProvider"])
    for batch, frames in ((1, 4), (3, 50)):
        clips = np.random.default_rng(1).normal(size=(batch, 3, frames, 25, 2)).astype(np.float32)
        shapes = [value.shape for value in session.run(None, {"clips": clips})]
        assert shapes == [(batch, FEATURES), (batch, SEEN), (batch, UNSEEN), (batch,)]


def test_its_weights_can_be_given_and_are_no_other_networks(root: Path, tmp_path: Path) -> None:
    before = read_features(Workspace(root).features("test"))
    root = Path(shutil.copytree(root, tmp_path / "copy", symlinks=True))
    (root / "own.safetensors").write_bytes(Workspace(root).backbone("test").read_bytes())
    command(root, "extract", "--set", "backbone.weights=own.safetensors")
    after = read_features(Workspace(root).features("test"))
    np.testing.assert_array_equal(after.features, before.features)
    np.testing.assert_array_equal(after.logits, before.logits)
    assert read_head(Workspace(root).features("val")) is not None
    settings = ("--set", "backbone.weights=own.safetensors", "--set", "backbone.network=shift-gcn")
    printed = command(root, "extract", *settings, code=1)
    assert (
        "own.safetensors: has no classifier fc.weight (classes, 256), so it is not a Shift-GCN checkpoint; "
        'backbone.network = "shift-gcn" wants one'
    ) in printed


def test_an_unknown_network_names_those_that_there_are(root: Path) -> None:
    printed = command(root, "status", "--set", "backbone.network=st-gcn", code=2)
    assert "there is no such network; use one of shift-gcn, joint-mlp" in printed
