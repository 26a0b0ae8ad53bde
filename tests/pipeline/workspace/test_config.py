import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.messages.errors import ConfigError, OverrideError
from pipeline.workspace.config import Config, build_config, dump_config, load_config
from pipeline.workspace.init import split_settings, write_config


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text('[dataset]\nraw = ["clips"]\n[train]\nlambda = 50\n')
    return tmp_path / "config.toml"


def test_a_file_sets_its_keys_and_leaves_the_defaults(path: Path) -> None:
    config = load_config(path)
    assert config.dataset.raw == ("clips",)
    assert config.train.lambda_ == 50
    assert config.train.cycles == Config().train.cycles


def test_overrides_are_laid_over_the_file(path: Path) -> None:
    config = load_config(path, ["train.lambda=7", "text.encoder=minilm", "train.seeds=[1, 2]", "backbone.epochs=3"])
    assert (config.train.lambda_, config.text.encoder, config.train.seeds) == (7, "minilm", (1, 2))
    assert config.backbone.epochs == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.alpha", "write key=value"),
        ("=3", "write key=value"),
        ("seed.x=3", "seed"),
        ("train.lambda.x=3", "lambda is a value, not a table"),
        ("train.lamda=3", "did you mean train.lambda?"),
        ("train.cycles=many", "train.cycles = 'many'"),
        ("train.cycles=0", "greater than or equal to 1"),
        ("train.seeds=5", "train.seeds = 5: input should be a list, as in [1, 2]"),
    ],
)
def test_a_bad_override_names_itself(path: Path, override: str, message: str) -> None:
    with pytest.raises(OverrideError, match="--set") as caught:
        load_config(path, [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tain]\n", "unknown key tain"),
        ("[train]\nalhpa = 1\n", "unknown key train.alhpa (did you mean train.alpha?)"),
        ("cycles = 3\n", "did you mean train.cycles?"),
        ('[backbone]\nepochs = "x"\nframes = 0\n', "backbone.frames = 0"),
        ('device = "gpu"\n', "device = 'gpu'"),
        ("[train\n", "not valid TOML"),
    ],
)
def test_a_bad_file_is_named_with_the_key(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_all_faults_of_a_file_are_told_at_once(path: Path) -> None:
    path.write_text("[train]\ncycles = 0\nbatch_size = 0\n")
    with pytest.raises(ConfigError, match=r"train\.cycles.*train\.batch_size"):
        load_config(path)


def test_a_list_with_a_faulty_item_is_not_said_to_be_too_short(path: Path) -> None:
    path.write_text('[text]\nlevels = ["lokal"]\n')
    with pytest.raises(ConfigError, match=r"text\.levels\.0 = 'lokal'") as caught:
        load_config(path)
    assert "at least 1 item" not in str(caught.value)


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="init SPLIT"):
        load_config(tmp_path / "config.toml")


def test_a_file_in_another_encoding_is_refused(path: Path) -> None:
    path.write_bytes("# café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(path)


def test_what_is_dumped_builds_the_same_settings() -> None:
    config = build_config({"train": {"lambda": 3.5}, "dataset": {"unseen": ["A001"]}}, "test")
    assert build_config(tomllib.loads(dump_config(config)), "dump") == config


def undescribed(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from undescribed(info.annotation, f"{prefix}{name}.")
        elif not info.description:
            yield f"{prefix}{name}"


def test_every_key_says_what_it_is() -> None:
    assert {"train.lambda", "model.frequency.cutoff"} <= Config().flat().keys()
    assert list(undescribed(Config)) == []


def test_seeds_are_counted_from_0() -> None:
    with pytest.raises(ConfigError, match=r"train\.seeds\.1 = -1"):
        build_config({"train": {"seeds": [0, -1]}}, "test")


def test_a_preset_of_the_command_line_holds_over_the_file_and_under_other_overrides(path: Path) -> None:
    path.write_text(dump_config(Config()), "utf-8")  # every key is set, as in the config.toml of a run
    paper = load_config(path, ["evaluate.classifier.relu=true", "model.preset=paper"])
    assert (paper.model.frequency.form, paper.model.noise, paper.train.calibrated) == (
        "paper",
        "dimension",
        "two-sided",
    )
    assert paper.evaluate.classifier.relu
    assert load_config(path, ["model.preset=default"]) == Config()
    assert load_config(path).model.frequency.form == "released"


def test_what_init_writes_for_a_data_set_holds_over_a_preset_of_the_command_line(path: Path) -> None:
    write_config(path, split_settings("ntu120-synse-110-10"))
    for preset in ("default", "paper", "released"):
        train = load_config(path, [f"model.preset={preset}"]).train
        assert (train.steps_per_cycle, train.alpha) == (1900, 0.1)
    assert load_config(path, ["model.preset=paper", "train.steps_per_cycle=50"]).train.steps_per_cycle == 50
    path.write_text(path.read_text("utf-8").replace("= 1900", "= 800"), "utf-8")  # the user's own, as on NTU-60
    assert load_config(path, ["model.preset=paper"]).train.steps_per_cycle == 1700


@pytest.mark.parametrize(
    "tree",
    [
        {"model": {"hidden": [16, 0]}},
        {"model": {"frequency": {"strength": float("nan")}}},
        {"train": {"lambda": float("inf")}},
        {"text": {"levels": ["label", "label"]}},
    ],
)
def test_values_that_nothing_can_be_made_of_are_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        build_config(tree, "test")


def test_a_byte_order_mark_is_read_over(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + b"seed = 7\n")
    assert load_config(path).seed == 7
