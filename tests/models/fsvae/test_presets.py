"""Presets: values under the user's own, resolved in the settings that staleness sees."""

import tomllib
from typing import Any

import pytest

from models.fsvae.presets import preset_differences, with_preset
from pipeline.messages.errors import ConfigError
from pipeline.workspace.config import Config, build_config, dump_config


@pytest.mark.parametrize("name", sorted(preset_differences()))
def test_every_preset_is_valid(name: str) -> None:
    assert build_config({"model": {"preset": name}}, "test").model.preset == name


def test_the_default_is_what_the_settings_say() -> None:
    assert build_config({"model": {"preset": "default"}}, "test") == Config()


def test_released_has_the_public_codes_quirks() -> None:
    flat = build_config({"model": {"preset": "released"}}, "test").flat()
    quirks = {
        "model.features": "given",
        "model.noise": "sample",
        "model.decoder_relu": True,
        "model.frequency.apply_to": "both",
        "model.frequency.form": "released",
        "model.frequency.bands": 30,
        "model.frequency.cutoff": 30,
        "model.frequency.position": True,
        "model.frequency.strength": 0.3,
        "train.calibrated": "one-sided",
        "train.cross_weight": 0.0,
        "train.shuffle": "step",
        "train.steps_per_cycle": 1700,
        "train.learning_rate": 1e-4,
        "evaluate.selection": "val",
        "evaluate.classifier.kind": "regression",
        "evaluate.classifier.relu": True,
        "evaluate.classifier.start": "xavier",
        "evaluate.gate.kind": "published",
        "evaluate.gate.c": 2.0,
        "evaluate.gate.balanced": False,
        "evaluate.gate.held_out": 0.2,
    }
    assert {key: flat[key] for key in quirks} == quirks
    assert keys_of(preset_differences()["released"]) <= quirks.keys()


def test_paper_has_the_figures_form() -> None:
    flat = build_config({"model": {"preset": "paper"}}, "test").flat()
    assert (flat["model.frequency.apply_to"], flat["model.frequency.cutoff"]) == ("skeleton", 35)
    assert flat["train.calibrated"] == "two-sided"
    differs = {
        *("model.preset", "model.features", "model.decoder_relu", "model.noise"),
        *(f"model.frequency.{key}" for key in ("apply_to", "form", "cutoff")),
        *("train.calibrated", "train.steps_per_cycle", "train.learning_rate"),
        *("evaluate.selection", "evaluate.classifier.kind", "evaluate.gate.kind", "evaluate.gate.balanced"),
    }
    assert {key for key, value in Config().flat().items() if flat[key] != value} == differs  # silent: our default


def test_a_key_of_the_user_overrides_the_preset() -> None:
    tree = {"model": {"preset": "released", "frequency": {"cutoff": 12}}, "train": {"seeds": [1, 2]}}
    config = build_config(tree, "test")
    assert config.model.frequency.cutoff == 12
    assert config.model.frequency.form == "released"
    assert config.train.calibrated == "one-sided"
    assert config.train.seeds == (1, 2)


def test_a_dumped_config_reads_back_the_same() -> None:
    config = build_config({"model": {"preset": "released", "noise": "dimension"}}, "test")
    assert build_config(tomllib.loads(dump_config(config)), "test") == config


def test_presets_are_not_changed_by_use() -> None:
    before = repr(preset_differences())
    with_preset({"model": {"preset": "released", "frequency": {"cutoff": 12}}})["train"]["calibrated"] = "x"
    assert repr(preset_differences()) == before


@pytest.mark.parametrize("model", [{"preset": "best"}, {"preset": 3}, "released"])
def test_no_preset_is_named_as_a_fault(model: object) -> None:
    with pytest.raises(ConfigError, match="model"):
        build_config({"model": model}, "test")


def test_the_published_presets_set_the_same_keys() -> None:
    """So that one laid over the other, or over a config.toml with every key set, leaves nothing of the other behind."""
    paper, released = (keys_of(preset_differences()[name]) for name in ("paper", "released"))
    assert paper == released


def keys_of(tree: dict[str, Any], prefix: str = "") -> set[str]:
    return {
        name
        for key, value in tree.items()
        for name in (keys_of(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"})
    }
