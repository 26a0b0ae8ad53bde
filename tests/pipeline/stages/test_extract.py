import io
import json
import os
import shutil
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import pipeline.stages.extract as extract_module
from data.errors import DataError
from data.phase_names import PHASES
from data.stores import h5
from data.stores.feature_store import FeatureSet, read_features
from data.stores.skeleton_store import SkeletonStore
from models.backbone.checkpoint import load_network
from models.backbone.features import clip_features
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.stages.table import stage_named
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun

EXTRACT = stage_named("extract")


@pytest.fixture
def tiny(tmp_path: Path, tiny_run: TinyRun) -> Path:
    """A copy of the tiny workspace, after preprocess and extract."""
    return Path(shutil.copytree(tiny_run.root, tmp_path / "tiny", symlinks=True))


def context_of(root: Path, *overrides: str) -> Context:
    workspace = Workspace(root)
    console = Console(file=io.StringIO(), width=200)
    return Context(workspace, load_config(workspace.config, overrides), workspace.config, console)


def said(context: Context) -> str:
    assert isinstance(context.console.file, io.StringIO)
    return context.console.file.getvalue()


def test_features_are_those_of_each_phase(tiny_run: TinyRun) -> None:
    workspace = Workspace(tiny_run.root)
    test, val = (read_features(workspace.features(phase)) for phase in PHASES)
    assert test.logit_actions.tolist() == [2, 3, 4, 6, 8, 9]
    assert val.logit_actions.tolist() == [2, 4, 6, 8]
    assert test.features.shape == (len(test), 256)
    assert np.isfinite(test.features).all()
    np.testing.assert_array_equal(test.held_out, val.held_out)
    assert (test.held_out <= test.train).all()
    assert test.held_out.any()
    for phase, features in zip(PHASES, (test, val), strict=True):
        network = load_network(workspace.backbone(phase))
        with torch.no_grad():
            logits = network.fc(torch.from_numpy(features.features))
        np.testing.assert_allclose(features.logits, logits, rtol=1e-4, atol=1e-5)
        record = h5.read_record(workspace.features(phase))
        assert record["transfer"] == "false"
        accuracy = json.loads(record["held_out_accuracy"])
        assert accuracy["clips"] == (features.held_out & np.isin(features.action, features.logit_actions)).sum()
    assert "held out: top-1" in tiny_run.progress


def test_a_clip_without_finite_features_is_named_and_nothing_is_written(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_nan(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        features, logits = clip_features(*arguments)
        features[3, 7] = np.nan
        return features, logits

    monkeypatch.setattr(extract_module, "clip_features", with_nan)
    context = context_of(tiny)
    before = context.workspace.features("test").read_bytes()
    with SkeletonStore(context.workspace.skeletons) as store:
        fourth, number = str(store.name[3]), len(store)
    with pytest.raises(DataError, match=f"NaN or infinite features for 1 of {number} clips, the first {fourth}; "):
        EXTRACT.run(context)
    assert context.workspace.features("test").read_bytes() == before


def test_a_backbone_that_learnt_nothing_is_warned_of(tiny: Path) -> None:
    assert "learnt nothing" not in said(context_of(tiny))
    keys = ("backbone.epochs=1", "backbone.learning_rate=1e-9", "backbone.held_out=0.5")
    context = context_of(tiny, *keys)
    EXTRACT.run(context)
    shown = " ".join(said(context).split())
    assert "warning: the backbone of the test phase has learnt nothing yet: held-out top-1 is" in shown
    assert "backbone.epochs (now 1), backbone.learning_rate (now 1e-09), and whether raw clips are in metres" in shown
    assert "the backbone of the val phase" not in shown  # too few clips are held out there to tell


def test_a_backbone_that_is_right_is_not_trained_again(tiny: Path) -> None:
    context = context_of(tiny)
    before = read_features(context.workspace.features("test"))
    context.workspace.features("test").unlink()
    trained = context.workspace.backbone("test").stat().st_mtime_ns
    EXTRACT.run(context)
    assert context.workspace.backbone("test").stat().st_mtime_ns == trained
    assert said(context).count("the backbone is there already") == 2
    np.testing.assert_array_equal(read_features(context.workspace.features("test")).features, before.features)


def test_the_first_phase_leaves_memory_before_the_second_one_begins(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[weakref.ref[np.ndarray]] = []
    alive: list[bool] = []

    def kept(path: Path, features: FeatureSet, record: dict[str, str]) -> None:
        written.append(weakref.ref(features.features))

    def looked(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        alive.extend(features() is not None for features in written)
        return clip_features(*arguments)

    monkeypatch.setattr(extract_module, "write_features", kept)
    monkeypatch.setattr(extract_module, "clip_features", looked)
    EXTRACT.run(context_of(tiny))
    assert alive == [False]


def test_other_pseudo_unseen_actions_leave_the_test_phase_alone(tiny: Path) -> None:
    context = context_of(tiny, 'dataset.val_unseen=["A003"]')
    EXTRACT.run(context)
    assert "test phase: the backbone is there already" in said(context)
    assert "val phase: training a Shift-GCN" in said(context)
    assert read_features(context.workspace.features("val")).logit_actions.tolist() == [2, 4, 6, 8, 9]


@pytest.mark.parametrize("stage", ["extract", "train"])
def test_pseudo_unseen_actions_that_would_be_drawn_otherwise_are_told(tiny: Path, stage: str) -> None:
    named, drawn = (stage_named(stage).provenance(context_of(tiny, *keys)) for keys in ((), ("dataset.val_unseen=[]",)))
    earlier = replace(drawn, inputs=named.inputs)  # as a program recorded it before the draw had a version
    assert list(drawn.changes_from(earlier)) == ["draw of pseudo-unseen actions is new"]


def test_training_goes_on_where_it_was_killed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = tiny, Path(shutil.copytree(tiny, tiny.with_name("cut"), symlinks=True))
    overrides = ("backbone.epochs=2",)
    EXTRACT.run(context_of(whole, *overrides))
    context = context_of(cut, *overrides)

    def kill(line: str, *others: object, **options: object) -> None:
        if "epoch   2/2" in line:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(context.console, "print", kill)
        with pytest.raises(KeyboardInterrupt):
            EXTRACT.run(context)
    assert context.workspace.backbone_training("test").exists()
    context = context_of(cut, *overrides)
    EXTRACT.run(context)
    assert "continued after epoch 1" in said(context)
    assert not context.workspace.backbone_training("test").exists()
    one, other = (read_features(Workspace(root).features("test")).features for root in (whole, cut))
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_two_processes_train_together(tiny: Path) -> None:
    again = ("backbone.learning_rate=0.01", "backbone.epochs=1")
    command = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command += ["-m", "pipeline", "-w", str(tiny), "extract", *(part for key in again for part in ("--set", key))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("test phase: training a Shift-GCN") == 1
    workspace = Workspace(tiny)
    features = read_features(workspace.features("test"))
    context = context_of(tiny, *again)
    workspace.features("test").unlink()
    EXTRACT.run(context)  # one process, on the backbone that two trained
    assert said(context).count("the backbone is there already") == 2
    np.testing.assert_allclose(read_features(workspace.features("test")).features, features.features, rtol=1e-5)


def test_what_is_missing_is_said_before_training(tiny: Path) -> None:
    (tiny / "descriptions.csv").write_text("action,label,local,global\nA001,a,b,c\n", "utf-8")
    with pytest.raises(PipelineError, match="has no text for A002, A003"):
        EXTRACT.run(context_of(tiny))
    with pytest.raises(DataError, match="A044"):
        EXTRACT.run(context_of(tiny, 'dataset.unseen=["A044"]'))


def test_a_file_that_is_no_checkpoint(tiny: Path) -> None:
    (tiny / "weights.pt").write_bytes(b"no")
    with pytest.raises(ModelError, match="can't be read as a checkpoint"):
        EXTRACT.run(context_of(tiny, "backbone.weights=weights.pt"))
