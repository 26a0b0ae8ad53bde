"""Two forms of settings: tables in tables, as in config.toml, and dotted keys ("train.alpha"), as in records."""

from collections.abc import Mapping
from typing import Any


def flattened(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `tree`, tables in tables, by dotted keys."""
    settings: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            settings |= {f"{key}.{inner}": innermost for inner, innermost in flattened(value).items()}
        else:
            settings[key] = value
    return settings


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `settings`, by dotted keys, as tables in tables.

    Raises ValueError when a key is both a value and a table.
    """
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        put(tree, key, value)
    return tree


def put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set the value of a dotted `key` in `tree`. Raises ValueError when a part of the key is a value there."""
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{table} is a value, not a table")
    tree[name] = value
