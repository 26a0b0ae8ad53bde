"""Results are as honest as what they were made from: contradictions are refused, stale inputs stand in the result."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.phase_names import PHASES
from data.stores.feature_store import read_features, write_features
from pipeline.cli.main import main
from pipeline.messages.errors import PipelineError
from pipeline.predict.action_bank import make_bank
from pipeline.predict.trained_run import open_run
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import read_record
from tests.conftest import TinyRun

RIDGE = ("--set", "model.aligner=ridge")  # trains in no time


def call(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["-w", str(root), *arguments])


def results(root: Path, run: str = "default") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "runs" / run / "results.json").read_text("utf-8"))
    return found


@pytest.fixture
def root(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A copy of the tiny workspace, to be changed."""
    copy = tmp_path / "work"
    shutil.copytree(tiny_run.root, copy, symlinks=True)
    return copy


def edit(root: Path, before: str, after: str) -> None:
    config = root / "config.toml"
    text = config.read_text("utf-8")
    assert before in text
    config.write_text(text.replace(before, after), "utf-8")


@pytest.mark.parametrize("commands", [[("run", "--from", "train")], [("train", "--force"), ("evaluate", "--force")]])
def test_an_action_that_the_backbone_was_trained_on_is_never_unseen(
    root: Path, commands: list[tuple[str, ...]]
) -> None:
    edit(root, 'unseen = ["A001", "A007"]', 'unseen = ["A001", "A002", "A007"]')
    before = results(root)
    first, *others = [call(root, *command, *RIDGE) for command in commands]
    assert first.exit_code == 1
    assert "features/test.h5: the backbone was trained on A002, which the test phase calls unseen" in first.stderr
    assert "run`, which makes the features again" in first.stderr
    for other in others:  # the run that stands is scored as it was trained
        assert other.exit_code == 0
        assert results(root)["split"] == before["split"]


def test_features_in_the_place_of_the_other_phase_are_stale(root: Path) -> None:
    features = Workspace(root).features
    shutil.copy(features("val"), features("test"))
    told = json.loads(call(root, "status", "--json").stdout)
    (extract,) = (stage for stage in told if stage["stage"] == "extract")
    assert (extract["state"], extract["reasons"]) == ("stale", ["test.h5 holds the val phase"])


def test_clips_that_trained_are_never_scored(root: Path) -> None:
    edit(root, "train_subjects = [1, 3, 4]", "train_subjects = [1, 2, 3]")
    refused = call(root, "run", "--from", "train")
    assert refused.exit_code == 1
    assert "dataset.train_subjects was [1, 3, 4] then and is [1, 2, 3] now" in refused.stderr


def test_features_of_another_list_of_videos_are_refused(root: Path) -> None:
    (root / "cross-subject.txt").write_text("Training videos:\n0001-L\nValidation videos:\n0002-L\n", "utf-8")
    edit(root, 'protocol = "custom"', 'protocol = "custom"\nprotocol_list = "cross-subject.txt"')
    refused = call(root, "train", "--force")
    assert refused.exit_code == 1
    assert "dataset.protocol_list was '' then and is 'cross-subject.txt' now" in refused.stderr


def test_a_pseudo_unseen_action_that_was_seen_is_refused(root: Path) -> None:
    edit(root, 'val_unseen = ["A003", "A009"]', 'val_unseen = ["A003", "A008"]')
    refused = call(root, "train", *RIDGE)
    assert refused.exit_code == 1
    assert "features/val.h5: the backbone has no logit for A009" in refused.stderr


def test_a_run_is_not_scored_on_other_features_than_it_was_trained_on(root: Path) -> None:
    workspace = Workspace(root)
    for phase in PHASES:
        path = workspace.features(phase)
        features, record = read_features(path), read_record(path)
        write_features(path, replace(features, features=features.features[:, ::-1]), record)
    refused = call(root, "evaluate", "--force")
    assert refused.exit_code == 1
    assert "features/test.h5, features/val.h5 changed since" in refused.stderr
    assert " train`" in refused.stderr


def test_stale_features_that_are_used_on_purpose_stand_in_the_result(root: Path) -> None:
    edit(root, "batch_size = 8", "batch_size = 5")  # of the backbone
    made = call(root, "run", "--from", "train", "--run", "other", *RIDGE)
    assert made.exit_code == 0, made.output
    caveat = "made from what is stale: extract (backbone.batch_size changed from 8 to 5)"
    assert caveat in results(root, "other")["caveats"]
    assert caveat in " ".join(made.stdout.split())
    assert call(root, "report", "other").exit_code == 0
    assert caveat[1:] in (root / "runs" / "other" / "report.html").read_text("utf-8")  # with a capital there


def test_other_texts_than_those_learnt_from_stand_in_the_result(root: Path) -> None:
    texts = root / "descriptions.csv"
    texts.write_text(texts.read_text("utf-8").replace("A001,", "A001,once more ", 1), "utf-8")
    assert call(root, "embed-text").exit_code == 0
    assert call(root, "evaluate").exit_code == 0
    assert any("text.h5 changed since the run was trained" in caveat for caveat in results(root)["caveats"])


def test_lists_that_do_not_belong_together_are_refused(tiny_run: TinyRun) -> None:
    run = open_run(tiny_run.root / "runs" / "default")
    bank = make_bank(run)
    features = read_features(run.context.workspace.features("test"))
    with pytest.raises(PipelineError, match="they do not belong together"):
        bank.probabilities(features.features[:3], np.zeros((3, bank.seen + 1), np.float32))


def test_an_output_that_another_program_holds_is_not_made_again(root: Path) -> None:
    features = Workspace(root).features("test")
    before = features.read_bytes()
    holding = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holding, str(features)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for words in ("status", "run"):
            refused = call(root, words)
            assert refused.exit_code == 1
            assert "features/test.h5: it is locked" in " ".join(refused.stderr.split())
        other.communicate("")
    assert features.stat().st_size == len(before)  # not made anew
    assert call(root, "status", "--quiet").exit_code == 0
