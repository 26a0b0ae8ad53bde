"""`--set key=value`: one override, applied to the settings of a config.toml."""

import tomllib
from typing import Any

from pipeline.messages.errors import OverrideError
from pipeline.workspace.dotted_keys import put


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Set the key that `override` ("train.alpha=0.1") names in the nested settings `tree`.

    The value is read as TOML; a plain word needs no quotes. Raises OverrideError when it can't be read as an override.
    """
    key, equals, text = override.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise OverrideError(f"--set {override}: write key=value, as in --set train.steps_per_cycle=200")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()  # so that a plain word needs no quotes
    try:
        put(tree, key.strip(), value)
    except ValueError as error:
        raise OverrideError(f"--set {override}: {error}") from None
