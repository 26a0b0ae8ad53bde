"""Two forms of settings: tables in tables, as in config.toml, and dotted keys ("train.alpha"), as in records."""

from collections.abc import Mapping
from typing import Any


def flattened(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Tables in tables -> dotted keys."""
    settings: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            settings |= {f"{key}.{inner}": innermost for inner, innermost in flattened(value).items()}
        else:
            settings[key] = value
    return settings


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys -> tables in tables. Raises ValueError when a key is both a value and a table."""
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        put(tree, key, value)
    return tree


def put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set the dotted `key` in tables in tables. Raises ValueError when a table of its name is a value there."""
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{table} is a value, not a table")
    tree[name] = value
