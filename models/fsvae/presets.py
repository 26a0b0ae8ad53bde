"""Presets: named sets of values for the keys of [model], [train] and [evaluate].

With `[model] preset = "released"`, every key that the user has not set takes its value from that preset. presets.toml,
beside this file, lists what each preset sets. The preset `default` is the defaults of the settings classes.
"""

import copy
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

# What the paper and its code set for one data set, whatever the preset, by dotted keys
OF_DATASET: Mapping[str, Mapping[str, Any]] = {
    "ntu120": {"model.latent": 200, "train.steps_per_cycle": 1900, "train.alpha": 0.1}
}


@cache
def preset_differences() -> dict[str, dict[str, Any]]:
    """Preset name -> the settings that presets.toml gives it, nested."""
    return tomllib.loads(resources.files("models.fsvae").joinpath("presets.toml").read_text("utf-8"))


def with_preset(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The nested settings `tree`, completed by the preset that its key model.preset names.

    Settings in `tree` win over those of the preset. Without that key, or when no preset has that name, `tree` comes
    back unchanged: it is validated elsewhere.
    """
    model = tree.get("model")
    name = model.get("preset") if isinstance(model, Mapping) else None
    preset = preset_differences().get(name, {}) if isinstance(name, str) else {}
    return _merged(preset, tree)


def without_preset_keys(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The nested settings `tree` without the keys that any preset sets, so that a preset chosen later sets them all."""
    remaining = copy.deepcopy(dict(tree))
    for preset in preset_differences().values():
        _remove_keys(preset, remaining)
    return remaining


def _remove_keys(keys: Mapping[str, Any], tree: dict[str, Any]) -> None:
    for key, value in keys.items():
        if isinstance(value, Mapping):
            if isinstance(tree.get(key), dict):
                _remove_keys(value, tree[key])
        else:
            tree.pop(key, None)


def _merged(tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(tree))
    for key, value in overrides.items():
        both_tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both_tables else value
    return merged
