"""What predict and export take for the classifier of the seen actions: the one in features/test.h5."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import models.backbone.checkpoint as checkpoint
from data.stores.feature_store import read_features, write_features
from models.backbone.protocol import Backbone
from models.backbone.settings import BackboneSettings
from pipeline.messages.errors import PipelineError
from pipeline.predict.run_backbone import run_backbone
from pipeline.stages import given_backbone
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record
from tests.conftest import TinyRun
from tests.pipeline.stages.test_extract import EXTRACT, context_of
from tests.pipeline.stages.test_given_backbone import save_published


@pytest.fixture
def tiny(tmp_path: Path, tiny_run: TinyRun) -> Path:
    return Path(shutil.copytree(tiny_run.root, tmp_path / "tiny", symlinks=True))


def take_the_classifier_away(context: Context) -> None:
    """As in files that were written before they had one."""
    path = context.workspace.features("test")
    write_features(path, replace(read_features(path), head=None), read_record(path))


def test_a_trained_backbone_has_its_own(tiny: Path) -> None:
    context = context_of(tiny)
    features = read_features(context.workspace.features("test"))
    backbone = run_backbone(context)
    np.testing.assert_array_equal(backbone.head.weight, backbone.network.fc.weight.detach())
    np.testing.assert_allclose(backbone.seen_logits(features.features), features.logits, rtol=1e-4, atol=1e-5)
    take_the_classifier_away(context)
    again = run_backbone(context)
    np.testing.assert_array_equal(again.head.weight, backbone.head.weight)
    np.testing.assert_array_equal(again.head.bias, backbone.head.bias)


def test_that_of_a_given_backbone_is_read_and_the_network_loaded_once(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_published(tiny / "ntu.pt", 60)
    context = context_of(tiny, "backbone.weights=ntu.pt")
    EXTRACT.run(context)
    features = read_features(context.workspace.features("test"))
    monkeypatch.setattr(given_backbone, "fit_head", None)
    loaded: list[Path] = []
    load = checkpoint.load_network

    def noting(path: Path, settings: BackboneSettings) -> Backbone:
        loaded.append(path)
        return load(path, settings)

    monkeypatch.setattr(checkpoint, "load_network", noting)
    backbone = run_backbone(context)
    assert loaded == [tiny / "ntu.pt"]
    constant = features.logits - backbone.seen_logits(features.features)
    assert np.ptp(constant, axis=1).max() < 1e-3 * np.ptp(features.logits, axis=1).max()


def test_a_given_backbone_without_one_is_extracted_again(tiny: Path) -> None:
    shutil.copy(tiny / "backbones" / "test.safetensors", tiny / "own.safetensors")
    context = context_of(tiny, "backbone.weights=own.safetensors")
    EXTRACT.run(context)
    features = read_features(context.workspace.features("test"))
    np.testing.assert_allclose(
        run_backbone(context).seen_logits(features.features), features.logits, rtol=1e-4, atol=1e-5
    )
    take_the_classifier_away(context)
    with pytest.raises(PipelineError, match=r"before extract kept the classifier.*`fsvae-pipe extract --force`"):
        run_backbone(context)
