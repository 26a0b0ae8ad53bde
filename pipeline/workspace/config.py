"""The settings of a workspace: reads config.toml, applies `--set`, and names the key of every fault.

Each table of config.toml is a pydantic model beside the code that reads it (data/settings.py, models/*/settings.py).
`Config` holds all of them. Every key has a default. An unknown key is an error.
"""

import difflib
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, Field, ValidationError

from data.settings import DatasetSettings, PreprocessSettings
from models.backbone.settings import BackboneSettings
from models.fsvae.presets import OF_DATASET, with_preset, without_preset_keys
from models.fsvae.settings import ModelSettings, TrainSettings
from models.text.settings import TextSettings
from pipeline.messages.errors import ConfigError, OverrideError, printable
from pipeline.workspace.dotted_keys import flattened, nested, put
from pipeline.workspace.evaluate_settings import EvaluateSettings
from pipeline.workspace.overrides import apply_override

MAX_BYTES = 1 << 20
MAX_FAULTS = 20
PRESET = "model.preset"
SHOWN_CHARACTERS = 200
UNDECODED = re.compile("[\ud800-\udfff]")  # what Python makes of bytes in a name that are not UTF-8


class Config(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """All settings of a workspace."""

    seed: int = Field(
        5, ge=0, lt=2**63, description="of the backbone, and of pseudo-unseen actions that a split does not name"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    dataset: DatasetSettings = DatasetSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    backbone: BackboneSettings = BackboneSettings()
    text: TextSettings = TextSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    def plain(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries and lists, with the keys of config.toml."""
        return self.model_dump(mode="json", by_alias=True)

    def flat(self) -> dict[str, Any]:
        """Return the settings by dotted keys: {"train.alpha": 0.5, ...}."""
        return flattened(self.plain())


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read the settings in the file at `path` and apply `overrides` ("train.alpha=0.1") to them.

    An override of model.preset replaces the file's values of all keys that presets set, but for those that `init` wrote
    because the data set needs them with every preset. The other overrides are applied after it.

    Raises ConfigError when the file is missing or is no TOML, or when a key or value in it is not allowed. Raises
    OverrideError when a key or value of an override is not allowed.
    """
    try:
        tree = read_toml(path)
    except FileNotFoundError:
        if path.name != "config.toml":
            raise ConfigError(f"{path}: no such file; --config names a file of settings, as config.toml is") from None
        raise ConfigError(
            f"{path}: no such file; `fsvae-pipe -w {shlex.quote(str(path.parent))} init SPLIT` writes one "
            "(see `fsvae-pipe init --help`)"
        ) from None
    config = build_config(tree, str(path))
    presets = [override for override in overrides if override.partition("=")[0].strip() == PRESET]
    if presets:
        tree = _ready_for_preset(tree, config.dataset.name)
    for override in (*presets, *(override for override in overrides if override not in presets)):
        apply_override(tree, override)
        try:
            config = build_config(tree, f"--set {override}")
        except ConfigError as error:
            raise OverrideError(str(error)) from None
    return config


def _ready_for_preset(tree: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """The settings `tree` without the keys that presets set, except where it has a value that the data set needs."""
    found, ready = flattened(tree), without_preset_keys(tree)
    for key, value in OF_DATASET.get(dataset, {}).items():
        if found.get(key) == value:
            put(ready, key, value)
    return ready


def read_toml(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file that people edit.

    Raises FileNotFoundError when there is none, ConfigError when it can't be read or is no TOML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes, which is too large for settings")
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and nesting without end
        raise ConfigError(f"{path}: not valid TOML: {_short(str(error))}") from error


def build_config(tree: Mapping[str, Any], source: str) -> Config:
    """Return the nested settings `tree` as a Config. Keys that it lacks have the values of the preset that it names.

    Raises ConfigError with all faults, each with its dotted key. The message begins with `source`.
    """
    for key, value in flattened(tree).items():
        texts = (key, *(map(str, value) if isinstance(value, list) else (str(value),)))
        if any("\0" in text for text in texts):
            raise ConfigError(f"{source}: {_short(key)} holds a NUL character, which no name or path can have")
        if any(UNDECODED.search(text) for text in texts):
            shown = _short(printable(", ".join(texts[1:])))
            raise ConfigError(
                f"{source}: {_short(printable(key))} = {shown} holds bytes that are not UTF-8, which config.toml can't "
                "hold; rename the file or folder, or give it a link with another name. Where the name is UTF-8, the "
                "locale is not: set PYTHONUTF8=1"
            )
    try:
        return Config.model_validate(with_preset(tree))
    except ValidationError as error:
        details = error.errors()
        faults = [
            _fault(detail["type"], detail["loc"], detail["msg"], detail["input"])
            for detail in details
            if not any(_is_within(other["loc"], detail["loc"]) for other in details)  # a faulty item makes a list short
        ]
        more = [f"and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise ConfigError(f"{source}: " + "; ".join([*faults[:MAX_FAULTS], *more])) from None


def config_of(settings: Mapping[str, Any], source: str) -> Config:
    """Return the `settings` of a record, given by dotted keys. Raises ConfigError, which names the file `source`."""
    try:
        return build_config(nested(settings), source)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None


def dump_config(config: Config) -> str:
    """Return `config` as TOML text with every key."""
    return tomlkit.dumps(config.plain())


def _is_within(inner: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _fault(kind: str, location: tuple[str | int, ...], message: str, value: object) -> str:
    key = ".".join(str(part) for part in location)
    message = message.replace("a valid tuple", "a list, as in [1, 2]").replace("Tuple should", "List should")
    if kind != "extra_forbidden":
        return f"{_short(key)} = {_short(repr(value))}: {message[0].lower()}{message[1:]}"
    if len(key) > SHOWN_CHARACTERS:
        return f"unknown key {_short(key)}"
    close = difflib.get_close_matches(key, Config().flat(), n=1) or [
        name for name in Config().flat() if name.rpartition(".")[2] == str(location[-1])
    ]
    return f"unknown key {key}" + (f" (did you mean {close[0]}?)" if close else "")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
