"""study.toml: what it makes of named splits, families, random splits and settings, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipeline.cli.main import main
from pipeline.messages.errors import ConfigError
from pipeline.study.layout import run_context
from pipeline.study.study_file import Preset, RandomSplits, Study, read_study
from pipeline.workspace.folder import StudyFolder

KITCHEN = '[datasets.kitchen]\nraw = ["clips"]\n'


def study(folder: Path, text: str) -> Study:
    (folder / "study.toml").write_text(text, "utf-8")
    return read_study(StudyFolder(folder))


def test_a_named_split_has_the_settings_that_init_writes(tmp_path: Path) -> None:
    made = study(tmp_path, '[datasets.ntu120]\nraw = ["a.zip"]\nsplits = ["ntu120-synse-110-10"]')
    [dataset] = made.datasets
    assert dataset.settings["model.latent"] == 200
    assert dataset.settings["train.steps_per_cycle"] == 1900
    assert dataset.settings["dataset.protocol"] == "xsub"
    assert dataset.settings["train.seeds"] == [5, 6, 7, 8, 9]
    assert not isinstance(dataset.splits, RandomSplits)
    rates: dict[Preset, float] = {"default": 3e-4, "paper": 1e-4}
    for preset, rate in rates.items():
        context = run_context(made, dataset, dataset.splits[0], preset, Console(quiet=True))
        assert context.config.train.steps_per_cycle == 1900  # the data set's own holds over the preset's
        assert context.config.train.learning_rate == rate
        assert context.run.root.name == context.config.model.preset == preset


def test_a_family_is_three_splits_of_one_group(tmp_path: Path) -> None:
    text = '[datasets.ntu60]\nsplits = ["ntu60-smie-55-5", "ntu60-synse-55-5", "ntu60-smie-55-5-2"]'
    [dataset] = study(tmp_path, text).datasets
    assert not isinstance(dataset.splits, RandomSplits)
    family = "ntu60-smie-55-5"
    members = [(f"{family}-{number}", family) for number in (1, 2, 3)]
    named = [(split.name, split.group) for split in dataset.splits]
    assert named == [*members, ("ntu60-synse-55-5", "ntu60-synse-55-5")]


def test_settings_of_a_data_set_win_over_those_of_the_study(tmp_path: Path) -> None:
    text = (
        "seeds = [1]\n[settings]\ntrain = { cycles = 3 }\nbackbone.epochs = 7\n"
        f'{KITCHEN}splits = {{ random = 4, unseen = 2 }}\nsettings = {{ "train.cycles" = 2 }}'
    )
    [dataset] = study(tmp_path, text).datasets
    assert (dataset.settings["train.cycles"], dataset.settings["backbone.epochs"]) == (2, 7)
    assert dataset.settings["train.seeds"] == [1]
    assert dataset.splits == RandomSplits(random=4, unseen=2, seed=0)


def test_paths_are_relative_to_the_study(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    text = (
        '[settings]\ntext.encoder = "encoder"\nbackbone = { weights = "/models/a.pt", known = "b.csv" }\n'
        "[datasets.kitchen]\n"
        'raw = ["clips", "/data/b.zip", "~/c.zip"]\nlayout = "my.toml"\nmanifest = "m.csv"\nunseen = ["A001"]'
    )
    [dataset] = study(tmp_path, text).datasets
    assert dataset.settings["dataset.raw"] == ["../clips", "/data/b.zip", "~/c.zip"]
    assert dataset.settings["dataset.layout"] == "../my.toml"
    assert dataset.settings["dataset.manifest"] == "../m.csv"
    assert dataset.settings["text.encoder"] == "../encoder"
    assert dataset.settings["backbone.known"] == "../b.csv"
    assert dataset.settings["backbone.weights"] == "/models/a.pt"


@pytest.mark.parametrize("known", ["ntu60", "none", ""])
def test_a_data_set_that_the_backbone_knows_is_no_path(tmp_path: Path, known: str) -> None:
    text = f'[settings.backbone]\nweights = "a.pt"\nknown = "{known}"\n{KITCHEN}unseen = ["A001"]'
    [dataset] = study(tmp_path, text).datasets
    assert dataset.settings["backbone.known"] == known


def test_without_splits_the_keys_of_the_table_are_the_split(tmp_path: Path) -> None:
    [dataset] = study(tmp_path, f'{KITCHEN}unseen = ["A001", "A002"]').datasets
    assert not isinstance(dataset.splits, RandomSplits)
    [split] = dataset.splits
    assert (split.name, split.settings["dataset.unseen"]) == ("custom", ["A001", "A002"])


def test_random_sets_of_a_known_data_set_have_its_protocol(tmp_path: Path) -> None:
    text = '[datasets.by-camera]\nname = "ntu60"\nprotocol = "xview"\nsplits = { random = 3, unseen = 5 }'
    [dataset] = study(tmp_path, text).datasets
    assert dataset.settings["dataset.name"] == "ntu60"
    assert dataset.settings["dataset.protocol"] == "xview"
    assert not dataset.settings.get("dataset.descriptions")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"datasets is missing; a table such as \[datasets\.ntu60\]"),
        ("[datasets]", "datasets = {}: dictionary should have at least 1 item"),
        ("[settings", "not valid TOML"),
        (f"preset = ['paper']\n{KITCHEN}", "unknown key preset; the keys are presets, seeds"),
        (f"presets = ['papers']\n{KITCHEN}", "presets.0 = 'papers': input should be 'default', 'paper' or 'released'"),
        (f"seeds = [5, 5]\n{KITCHEN}", r"seeds = \[5, 5\] lists one twice"),
        (f"{KITCHEN}rwa = 1", r"\[datasets.kitchen\]: unknown key dataset.rwa \(did you mean dataset.raw\?\)"),
        (f"{KITCHEN}settings.train.cycle = 1", r"unknown key train.cycle \(did you mean train.cycles\?\)"),
        (f"{KITCHEN}settings.train.seeds = [1]", "settings hold train.seeds, which has another place.*: seeds"),
        (f"settings.model.preset = 'paper'\n{KITCHEN}", "model.preset, which has another place.*: presets"),
        (f"settings.dataset.fps = 3\n{KITCHEN}", r"dataset.fps, which has another place.*\[datasets.kitchen\]"),
        (f"{KITCHEN}splits = ['ntu60-5']", 'splits has "ntu60-5", which is not a split; '),
        (f"{KITCHEN}splits = []", "splits is empty"),
        (
            f"{KITCHEN}splits = {{ random = 1, unseen = 5 }}",
            r"kitchen.splits: wanted a list of named splits, or",
        ),
        (f"{KITCHEN}splits = {{ random = 3 }}", "splits: wanted a list of named splits, or [^;]*$"),
        (f"{KITCHEN}splits = {{ random = 3, unseen = 2 }}\nunseen = ['A001']", "has splits and unseen; keep one"),
        ("[datasets.ntu60]\nsplits = ['ntu120-synse-110-10']", "divides ntu120, not ntu60"),
        ("[datasets.k]\nsplits = ['ntu60-synse-55-5', 'ntu120-synse-96-24']", "divides ntu120, not ntu60"),
        ("[datasets.'a/b']\n", "the name becomes a folder"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        study(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / "study.toml"))


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["ntu60"], [["ntu60-synse-55-5", "ntu60-synse-48-12"]]),
        (["ntu120", "ntu60-smie-55-5"], [["ntu120-synse-110-10", "ntu120-synse-96-24"], ["-1", "-2", "-3"]]),
        (["pku51"], [["pku51-46-5", "pku51-39-12", "-1", "-2", "-3", "-1", "-2", "-3"]]),
        (["kitchen"], [RandomSplits(random=10, unseen=5, seed=1)]),
    ],
)
def test_a_new_study_is_begun_by_names(tmp_path: Path, names: list[str], splits: list[Any]) -> None:
    root = tmp_path / "study"
    raw = tmp_path / "raw"
    raw.mkdir()
    done = CliRunner().invoke(main, ["-w", str(root), "reproduce", *names, "--raw", str(raw), "--init"])
    assert done.exit_code == 0, done.output
    made = read_study(StudyFolder(root))
    for dataset, wanted in zip(made.datasets, splits, strict=True):
        assert dataset.settings["dataset.raw"] == [str(raw)]
        if isinstance(dataset.splits, RandomSplits):
            assert dataset.splits == wanted
        else:
            assert all(split.name.endswith(end) for split, end in zip(dataset.splits, wanted, strict=True))
        assert (root / dataset.name / "config.toml").is_file()
    again = ["-w", str(root), "reproduce", "--init", *names, "--raw"]
    assert CliRunner().invoke(main, [*again, str(raw)]).exit_code == 0
    refused = CliRunner().invoke(main, [*again, str(tmp_path)])
    assert refused.exit_code == 2
    assert "names other raw files for" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("names", [[], ["ntu6o"], ["ntu60", "kitchen"]])
def test_a_new_study_of_nothing_known_is_refused(tmp_path: Path, names: list[str]) -> None:
    done = CliRunner().invoke(main, ["-w", str(tmp_path / "study"), "reproduce", *names])
    assert done.exit_code == 2
    assert "a name of your own with --init" in " ".join(done.stderr.split())
    assert not (tmp_path / "study").exists()


def test_what_a_new_study_of_ones_own_lacks_is_said_at_once(tmp_path: Path) -> None:
    root = tmp_path / "study"
    (tmp_path / "raw").mkdir()
    command = ["-w", str(root), "reproduce", "kitchen"]
    CliRunner().invoke(main, [*command, "--raw", str(tmp_path / "raw"), "--init"])
    done = CliRunner().invoke(main, command)
    message = " ".join(done.stderr.split())
    assert done.exit_code == 1
    assert "fill in train_subjects" in message
    assert "study.toml, [datasets.kitchen], says what this file says: change it there" in message
    assert not (root / "kitchen" / "skeletons.h5").exists()
