"""Presets: named sets of values for the keys of [model], [train] and [evaluate].

`[model] preset = "released"` takes the values of that preset for every key that the user has not set. What a preset
sets is told in presets.toml, beside this module; the preset `default` is the settings' own defaults.
"""

import copy
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any


@cache
def preset_differences() -> dict[str, dict[str, Any]]:
    """Preset name -> nested settings that differ from the defaults."""
    return tomllib.loads(resources.files("models.fsvae").joinpath("presets.toml").read_text("utf-8"))


def with_preset(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The nested settings `tree`, over those of the preset that its key model.preset names.

    A tree without that key, or with a value that is no preset's name, comes back as it is: validation is not done here.
    """
    model = tree.get("model")
    name = model.get("preset") if isinstance(model, Mapping) else None
    under = preset_differences().get(name, {}) if isinstance(name, str) else {}
    return _laid_over(under, tree)


def without_preset_keys(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The nested settings `tree` without the keys that any preset sets, so that one chosen later holds for all."""
    left = copy.deepcopy(dict(tree))
    for preset in preset_differences().values():
        _take_away(preset, left)
    return left


def _take_away(keys: Mapping[str, Any], tree: dict[str, Any]) -> None:
    for key, value in keys.items():
        if isinstance(value, Mapping):
            if isinstance(tree.get(key), dict):
                _take_away(value, tree[key])
        else:
            tree.pop(key, None)


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(under))
    for key, value in over.items():
        both_tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _laid_over(merged[key], value) if both_tables else value
    return merged
