import re
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from data.splits import split_names
from pipeline.messages.errors import PipelineError
from pipeline.workspace.config import Config, load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.init import init, missing_list, set_dataset, write_config


@pytest.mark.parametrize("split", split_names())
def test_every_named_split_gives_a_config_that_loads(tmp_path: Path, split: str) -> None:
    config = load_config(init(Workspace(tmp_path / "work"), split))
    assert config.dataset.split == split
    assert split.startswith(config.dataset.name)
    assert config.model.latent == (200 if config.dataset.name == "ntu120" else 100)


def test_pku_mmd_has_its_layout_and_the_list_of_its_protocol(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    dataset = load_config(init(workspace, "pku51-39-12")).dataset
    assert (dataset.layout, dataset.protocol, dataset.protocol_list) == ("pku-mmd", "xsub", "cross-subject.txt")
    assert missing_list(workspace, "pku51-39-12") == tmp_path / "cross-subject.txt"
    assert missing_list(workspace, "ntu60-synse-55-5") is None
    (tmp_path / "cross-subject.txt").touch()
    assert missing_list(workspace, "pku51-39-12") is None
    own = init(workspace, "pku51-39-12", force=True, recordings={"layout": "ntu"})
    assert load_config(own).dataset.layout == "ntu"


def test_custom_sets_the_keys_to_fill_in(tmp_path: Path) -> None:
    path = init(Workspace(tmp_path), "custom", name="kitchen")
    dataset = tomllib.loads(path.read_text())["dataset"]
    assert dataset["name"] == "kitchen"
    assert {"raw", "train_subjects", "unseen", "val_unseen", "descriptions"} <= dataset.keys()


def test_every_key_is_shown(tmp_path: Path) -> None:
    text = init(Workspace(tmp_path), "ntu60-synse-55-5").read_text()
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text)
    shown = tomllib.loads(uncommented)
    assert load_config(tmp_path / "config.toml").plain().keys() == shown.keys()
    assert Config().plain()["train"].keys() == shown["train"].keys()
    assert Config().plain()["model"].keys() == shown["model"].keys()


def test_it_does_not_write_over_a_config(tmp_path: Path) -> None:
    init(Workspace(tmp_path), "custom")
    with pytest.raises(PipelineError, match="--force"):
        init(Workspace(tmp_path), "custom")
    init(Workspace(tmp_path), "ntu60-purls-40-20", force=True)
    assert load_config(tmp_path / "config.toml").dataset.name == "ntu60"


def test_an_unknown_split_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="ntu120-purls-60-60"):
        init(Workspace(tmp_path / "work"), "ntu60")
    assert not (tmp_path / "work").exists()


def test_raw_is_kept_relative_to_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / "clips").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    path = init(Workspace(tmp_path / "work"), "custom", [Path("work/clips"), Path("elsewhere.zip")])
    assert load_config(path).dataset.raw == ("clips", str(tmp_path / "elsewhere.zip"))


def test_a_link_in_the_workspace_is_kept_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, disk = tmp_path / "work", tmp_path / "disk"
    disk.mkdir()
    work.mkdir()
    (work / "clips").symlink_to(disk)
    monkeypatch.chdir(tmp_path)
    raw = [Path("work/clips"), work / "clips", Path("work/../disk"), Path("disk/../work/more")]
    path = init(Workspace(Path("work")), "custom", raw)
    assert load_config(path).dataset.raw == ("clips", "clips", str(disk), "more")


def test_set_dataset_changes_one_key_and_keeps_the_comments(tmp_path: Path) -> None:
    path = init(Workspace(tmp_path), "custom")
    before = path.read_text().splitlines()
    context = Context(Workspace(tmp_path), load_config(path, ["train.cycles=3"]), path, Console(stderr=True))
    config = set_dataset(context, [tmp_path / "a b.zip"], {})
    after = path.read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 1
    assert len(after) == len(before)
    assert load_config(path).dataset.raw == config.dataset.raw == ("a b.zip",)
    assert config.train.cycles == 3


def test_a_chosen_value_stands_uncommented(tmp_path: Path) -> None:
    write_config(tmp_path / "config.toml", {"train.lambda": 5.0, "text.levels": ["label"]})
    config = load_config(tmp_path / "config.toml")
    assert (config.train.lambda_, config.text.levels) == (5.0, ("label",))
