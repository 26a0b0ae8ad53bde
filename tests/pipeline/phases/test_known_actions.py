"""Which actions a given backbone knows: from the setting, or from the record of a checkpoint of our own."""

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from data.stores.files import sealed
from descriptions.loader import builtin_descriptions
from models.tensor_file import write_tensors
from pipeline.messages.errors import PipelineError
from pipeline.phases.known_actions import NamedActions, known_actions
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

CSV = "action,label,local,global\nA002,a,b,c\nA007,d,e,f\nA009,g,h,i\n"


def of(root: Path, known: str, dataset: str = "mine", weights: str = "x.pt") -> NamedActions | None:
    settings = {"dataset": {"name": dataset}, "backbone": {"weights": weights, "known": known}}
    config = build_config(settings, "test")
    return known_actions(Context(Workspace(root), config, root / "config.toml", Console(file=io.StringIO())))


def own_checkpoint(root: Path, dataset: str, actions: list[int]) -> str:
    record = sealed({"stage": "backbone", "dataset": dataset, "actions": json.dumps(actions)})
    write_tensors(root / "own.safetensors", {"fc.weight": torch.zeros(len(actions), 3)}, record)
    return "own.safetensors"


@pytest.mark.parametrize(
    ("known", "number", "last"), [("ntu60", 60, "A060"), ("ntu120", 120, "A120"), ("pku51", 51, "A051")]
)
def test_a_data_set_has_its_texts(tmp_path: Path, known: str, number: int, last: str) -> None:
    found = of(tmp_path, known)
    assert found is not None
    assert len(found.texts) == number
    assert found.listed.endswith(last)
    assert found.texts[1] == builtin_descriptions("pku51" if known == "pku51" else "ntu120")[1]


def test_a_csv_has_a_row_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(CSV)
    found = of(tmp_path, "theirs.csv")
    assert found is not None
    assert (found.source, found.listed) == ("theirs.csv", "A002 A007 A009")


def test_nothing_is_known_unless_something_says_it(tmp_path: Path) -> None:
    assert of(tmp_path, "") is None
    assert of(tmp_path, "", weights="") is None
    assert of(tmp_path, "none") is None
    assert of(tmp_path, "", weights=own_checkpoint(tmp_path, "kitchen", [1, 2])) is None  # its texts are not shipped


def test_a_checkpoint_of_our_own_says_it(tmp_path: Path) -> None:
    weights = own_checkpoint(tmp_path, "ntu60", [1, 2, 5])
    for key in ("", "ntu60"):
        found = of(tmp_path, key, weights=weights)
        assert found is not None
        assert (found.source, found.listed) == ("ntu60", "A001 A002 A005")
    assert of(tmp_path, "none", weights=weights) is None
    for dataset in ("ntu60", "ntu120"):  # the data set's own actions, among which are the unseen ones
        assert of(tmp_path, "", dataset, weights) is None
    (tmp_path / "theirs.csv").write_text(CSV)
    found = of(tmp_path, "theirs.csv", weights=own_checkpoint(tmp_path, "kitchen", [2, 9]))
    assert found is not None
    assert found.listed == "A002 A009"


@pytest.mark.parametrize(
    ("known", "dataset", "weights", "message"),
    [
        ("ntu60", "mine", "", 'backbone.known = "ntu60", but backbone.weights is empty'),
        ("ntu06", "mine", "x.pt", 'backbone.known = "ntu06": neither one of ntu60, ntu120, pku51 nor a file'),
        ("broken.csv", "mine", "x.pt", 'backbone.known = "broken.csv": .*broken.csv: line 2: '),
        ("one.csv", "mine", "x.pt", "names 1 action; at least 2"),
        ("ntu60", "ntu60", "x.pt", "these are actions of ntu60 itself"),
        ("ntu60", "ntu120", "x.pt", "these are actions of ntu120 itself"),
        ("pku51", "mine", "own.safetensors", "the checkpoint says that it was trained on ntu60"),
        ("one.csv", "mine", "own.safetensors", "has no text for A001, A005"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(
    tmp_path: Path, known: str, dataset: str, weights: str, message: str
) -> None:
    own_checkpoint(tmp_path, "ntu60", [1, 2, 5])
    (tmp_path / "broken.csv").write_text("action,label,local,global\nA1,a,b,c\n")
    (tmp_path / "one.csv").write_text("action,label,local,global\nA002,a,b,c\n")
    with pytest.raises(PipelineError, match=message):
        of(tmp_path, known, dataset, weights)
