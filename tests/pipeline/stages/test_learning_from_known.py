"""A backbone of another data set, with the names of its classes: all stages, and what becomes stale."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from data.stores import h5
from data.stores.feature_store import read_features
from data.stores.text_store import read_text_features
from models.tensor_file import read_record
from pipeline.cli.main import main
from pipeline.messages.errors import PipelineError
from pipeline.stages.given_backbone import given_backbone
from tests.conftest import TinyRun
from tests.pipeline.stages.test_extract import context_of
from tests.shared.made_networks import lively_network, published_state

SETTINGS = """
[backbone]
frames = 12
weights = "ntu.pt"
known = "ntu60"

[text]
encoder = "minilm"
levels = ["label"]
"""


@pytest.fixture
def tiny(tmp_path: Path, tiny_run: TinyRun) -> Path:
    """A copy of the tiny workspace with a checkpoint of 60 classes, and settings that name them."""
    root = Path(shutil.copytree(tiny_run.root, tmp_path / "tiny", symlinks=True))
    torch.save(published_state(lively_network(60)), root / "ntu.pt")
    return root


def fsvae_pipe(root: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(main, ["-w", str(root), *arguments])
    assert done.exit_code == 0, done.output
    return done


def stale(root: Path) -> set[str]:
    states = json.loads(fsvae_pipe(root, "status", "--json").stdout)
    return {state["stage"] for state in states if state["state"] != "done"}


def test_every_stage_passes_them_on_and_the_result_says_so(tiny: Path) -> None:
    assert stale(tiny) == set()
    config, texts = tiny / "config.toml", tiny / "descriptions.csv"
    before, after = (config.read_text().partition("[backbone]")[0], config.read_text().partition("[train]")[2])
    config.write_text(f"{before}{SETTINGS}\n[train]{after}")
    clapping = texts.read_text().replace("A007,", "A007,clap the hands,x,y\nA099,", 1)
    texts.write_text(clapping)
    said = fsvae_pipe(tiny, "run").stderr
    assert "text.h5: 26 actions and 60 of ntu60, label" in said
    assert "train: learns from 60 actions that the backbone knows, too" in said
    features, text = read_features(tiny / "features" / "val.h5"), read_text_features(tiny / "text.h5")
    assert features.known is not None
    assert text.known is not None
    assert features.known.weight.shape == (60, 256)
    assert text.known.texts["label"][9] == "clap the hands"
    assert read_record(tiny / "runs" / "default" / "model.safetensors")["known_actions"] == "60"
    results = json.loads((tiny / "runs" / "default" / "results.json").read_text())
    known = results["known_actions"]
    assert (known["source"], known["number"], known["learnt_from"]) == ("ntu60", 60, True)
    assert known["near"][0] == {
        "action": "A007",
        "label": "clap the hands",
        "known_action": "A010",
        "known_label": "clap the hands",
        "likeness": 1.0,
    }
    (caveat,) = [caveat for caveat in results["caveats"] if "60 actions of ntu60" in caveat]
    assert "training learnt from them: for unseen actions that are like one of them" in caveat
    assert "A007 clap the hands is like their A010 clap the hands" in caveat
    assert not any("not known which actions" in caveat for caveat in results["caveats"])
    assert stale(tiny) == set()
    fsvae_pipe(tiny, "predict", str(tiny / "raw" / "setup1"), "--mode", "zsl")
    config.write_text(config.read_text().replace('known = "ntu60"', 'known = "none"'))
    assert stale(tiny) == {"extract", "embed-text", "train", "evaluate"}


def test_classes_that_nobody_named_are_asked_for_once(tiny: Path) -> None:
    context = context_of(tiny, "backbone.weights=ntu.pt")
    hint = given_backbone(context).hint
    assert hint.startswith('if the 60 classes of backbone.weights are those of NTU RGB+D, backbone.known = "ntu60"')
    for settings in (("dataset.name=ntu60",), ("backbone.known=none",), ("backbone.known=ntu60",)):
        assert given_backbone(context_of(tiny, "backbone.weights=ntu.pt", *settings)).hint == ""


@pytest.mark.parametrize(
    ("known", "dataset", "message"),
    [
        ("ntu120", "tiny", 'backbone.known = "ntu120" names 120 actions, but .*ntu.pt has 60 classes'),
        ("descriptions.csv", "ntu60", "the classes of ntu.pt are actions of ntu60 itself"),
    ],
)
def test_actions_that_are_not_the_classes_are_refused(tiny: Path, known: str, dataset: str, message: str) -> None:
    settings = ("backbone.weights=ntu.pt", f"backbone.known={known}", f"dataset.name={dataset}")
    with pytest.raises(PipelineError, match=message):
        given_backbone(context_of(tiny, *settings))


def test_files_without_known_actions_are_as_they_were(tiny_run: TinyRun) -> None:
    record = h5.read_record(tiny_run.root / "text.h5")
    assert "known" not in record["inputs"]
    assert "backbone" not in record["settings"]
    for path in (tiny_run.root / "features" / "test.h5", tiny_run.root / "backbones" / "test.safetensors"):
        record = h5.read_record(path) if path.suffix == ".h5" else read_record(path)
        assert "known" not in record["inputs"]
        assert "known_source" not in record
    assert "backbone.known" not in record["settings"]
    assert "known_actions" not in read_record(tiny_run.root / "runs" / "default" / "model.safetensors")
