import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from data.errors import DataError
from data.stores import h5
from data.stores.feature_store import read_features
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import Phase
from pipeline.stages.given_backbone import fit_head, given_backbone
from tests.conftest import TinyRun
from tests.pipeline.stages.test_extract import EXTRACT, context_of, said
from tests.shared.made_networks import lively_network, published_state


@pytest.fixture
def tiny(tmp_path: Path, tiny_run: TinyRun) -> Path:
    return Path(shutil.copytree(tiny_run.root, tmp_path / "tiny", symlinks=True))


def save_published(path: Path, classes: int) -> None:
    torch.save(published_state(lively_network(classes)), path)


def test_own_weights_serve_both_phases(tiny: Path) -> None:
    shutil.copy(tiny / "backbones" / "test.safetensors", tiny / "own.safetensors")
    before = read_features(tiny / "features" / "test.h5")
    context = context_of(tiny, "backbone.weights=own.safetensors")
    EXTRACT.run(context)
    test, val = (read_features(tiny / "features" / f"{phase}.h5") for phase in ("test", "val"))
    np.testing.assert_array_equal(test.features, before.features)
    np.testing.assert_array_equal(test.logits, before.logits)
    np.testing.assert_array_equal(val.features, before.features)
    assert val.logit_actions.tolist() == [2, 4, 6, 8]
    np.testing.assert_array_equal(val.logits, before.logits[:, [0, 2, 3, 4]])
    test_record, val_record = (h5.read_record(tiny / "features" / f"{phase}.h5") for phase in ("test", "val"))
    assert test_record["transfer"] == "false"  # it never saw what the test phase calls unseen
    assert (val_record["transfer"], val_record["backbone_saw"]) == ("true", '["A003", "A009"]')
    assert "val phase: own.safetensors was trained on 2 of the 2 unseen actions" in said(context)
    assert "test phase: own" not in said(context)


def test_weights_of_other_classes_get_a_fitted_classifier(tiny: Path) -> None:
    save_published(tiny / "ntu.pt", 60)
    context = context_of(tiny, "backbone.weights=ntu.pt")
    EXTRACT.run(context)
    features = read_features(tiny / "features" / "test.h5")
    fit = features.train & ~features.held_out & np.isin(features.action, features.logit_actions)
    found = features.logit_actions[features.logits.argmax(1)]
    assert (found == features.action)[fit].mean() > 0.9
    np.testing.assert_allclose(np.exp(features.logits).sum(1), 1, rtol=1e-4)
    assert h5.read_record(tiny / "features" / "test.h5")["transfer"] == "unknown"
    assert "it is not known whether ntu.pt was trained on unseen actions" in said(context)


def test_weights_that_give_all_clips_the_same_features_are_refused(tiny: Path) -> None:
    state = published_state(lively_network(60))
    torch.save({**state, "data_bn.weight": 0 * state["data_bn.weight"]}, tiny / "ntu.pt")
    before = (tiny / "features" / "test.h5").read_bytes()
    with pytest.raises(DataError, match=r"test phase: the features of all 64 clips are equal.*weights in ntu.pt"):
        EXTRACT.run(context_of(tiny, "backbone.weights=ntu.pt"))
    assert (tiny / "features" / "test.h5").read_bytes() == before


def test_weights_of_other_classes_on_clips_in_another_unit_are_told_by_the_size(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier that was fitted here may seem right, and few clips are held out to tell."""
    save_published(tiny / "ntu.pt", 60)
    monkeypatch.setattr("data.clean.body_size.PERSON_M", (2.5, 52))  # as if these were decimetres
    context = context_of(tiny, "backbone.weights=ntu.pt")
    EXTRACT.run(context)
    shown = " ".join(said(context).split())
    assert "test phase: the bodies of these clips measure 1." in shown
    assert "unless ntu.pt was trained on bodies of this size, its features mean nothing" in shown


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_published_weights_kept_as_safetensors_are_weights_without_a_record(
    tiny: Path, prefix: str, metadata: dict[str, str] | None
) -> None:
    state = {prefix + name: tensor for name, tensor in published_state(lively_network(60)).items()}
    save_file(state, tiny / "ntu.safetensors", metadata)
    settings = ("dataset.name=ntu60", "dataset.descriptions=", "backbone.weights=ntu.safetensors")
    assert given_backbone(context_of(tiny, *settings)).actions == tuple(range(1, 61))


def test_own_weights_that_lost_a_part_of_their_record_are_refused(tiny: Path) -> None:
    path = tiny / "own.safetensors"
    with safe_open(tiny / "backbones" / "test.safetensors", framework="pt") as file:
        tensors, record = {name: file.get_tensor(name) for name in list(file.keys())}, file.metadata()
    save_file(tensors, path, {key: value for key, value in record.items() if key != "format_version"})
    with pytest.raises(DataError, match="it has no format_version"):
        given_backbone(context_of(tiny, "backbone.weights=own.safetensors"))


NTU = ("dataset.name=ntu60", "dataset.descriptions=", "backbone.weights=ntu.pt")


@pytest.mark.parametrize(("name", "classes"), [("ntu60", 60), ("ntu60", 120), ("ntu120", 120), ("pku51", 51)])
def test_published_weights_on_their_own_data(tiny: Path, name: str, classes: int) -> None:
    save_published(tiny / "ntu.pt", classes)
    given = given_backbone(context_of(tiny, *NTU, f"dataset.name={name}"))
    assert given.actions == tuple(range(1, classes + 1))
    phase = Phase("test", (1, 3), (2, 5))
    assert given.record(phase) == {"transfer": "true", "backbone_saw": '["A002", "A005"]'}
    assert "2 of the 2 unseen actions (A002, A005): results are transfer results" in given.warning(phase)
    logits = np.arange(2 * classes, dtype=np.float32).reshape(2, classes)
    nothing = np.zeros(2)
    features = np.zeros((2, 256), np.float32)
    found, head = given.of_phase(phase, features, logits, nothing.astype(int), nothing.astype(bool))
    np.testing.assert_array_equal(found, logits[:, [0, 2]])
    np.testing.assert_array_equal(head.weight, given.network.fc.weight.detach()[[0, 2]])


@pytest.mark.parametrize("classes", [60, 120])
def test_published_weights_of_ntu_are_of_other_classes_on_pku_mmd(tiny: Path, classes: int) -> None:
    save_published(tiny / "ntu.pt", classes)
    given = given_backbone(context_of(tiny, *NTU, "dataset.name=pku51"))
    assert given.actions is None
    assert given.record(Phase("test", (1, 3), (2, 5)))["transfer"] == "unknown"


@pytest.mark.parametrize(("name", "classes"), [("ntu120", 60), ("ntu60", 20), ("ntu60", 51)])
def test_a_wrong_class_count(tiny: Path, name: str, classes: int) -> None:
    save_published(tiny / "ntu.pt", classes)
    with pytest.raises(PipelineError, match=f"has {classes} classes, but {name} has"):
        given_backbone(context_of(tiny, *NTU, f"dataset.name={name}"))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_clip_far_from_all_others_gets_finite_logits(classes: int) -> None:
    generator = np.random.default_rng(0)
    action = np.repeat(np.arange(classes), 10)
    features = (np.eye(classes, 4)[action] + 0.1 * generator.normal(size=(len(action), 4))).astype(np.float32)
    fit = np.arange(len(action)) % 10 > 0
    near, _ = fit_head(features, action, fit)
    features[0, :2] = (2000, -2000)  # probabilities below the smallest float64
    logits, head = fit_head(features, action, fit)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits[1:], near[1:])
    wanted = head.logits(features)
    np.testing.assert_allclose(
        logits - logits.max(axis=1, keepdims=True), wanted - wanted.max(axis=1, keepdims=True), rtol=1e-4, atol=1e-4
    )
