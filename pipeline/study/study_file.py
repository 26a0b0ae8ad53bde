"""study.toml: the data sets, splits, presets and seeds of a study.

    presets = ["default", "paper", "released"]
    seeds = [5, 6, 7]

    cluster.address = "10.0.0.5:8786"  # only with a Dask cluster; as --cluster

    [settings]                       # as in config.toml, for every run
    device = "cuda"

    [datasets.ntu60]                 # the keys of config.toml's [dataset], and these two: splits, settings
    raw = ["nturgbd_skeletons_s001_to_s017.zip"]
    splits = ["ntu60-synse-55-5", "ntu60-smie-55-5"]

    [datasets.kitchen]
    raw = ["recordings"]
    splits = { random = 10, unseen = 5, seed = 1 }
    settings.backbone.epochs = 40

Paths are relative to study.toml.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from data.splits import CUSTOM, NUM_ACTIONS, known_splits, split_dataset, split_family, split_names, splits_named
from pipeline.messages.errors import ConfigError, WrongUsage
from pipeline.phases.known_actions import UNUSED
from pipeline.workspace.config import PRESET, config_of, read_toml
from pipeline.workspace.dotted_keys import flattened
from pipeline.workspace.folder import StudyFolder
from pipeline.workspace.init import split_settings

Preset = Literal["default", "paper", "released"]
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
SEEDS = "train.seeds"
PATHS = ("dataset.raw", "dataset.manifest", "dataset.protocol_list", "dataset.descriptions", "backbone.weights")
ELSEWHERE = {PRESET: "presets", SEEDS: "seeds"}  # settings that have their own place at the top of study.toml
SPLIT_KEYS = ("dataset.split", "dataset.unseen", "dataset.val_unseen")


class RandomSplits(BaseModel, extra="forbid", frozen=True):
    """Several sets of unseen actions, drawn at random."""

    random: int = Field(ge=2, le=1000, description="number of sets")
    unseen: int = Field(ge=1, description="unseen actions in each")
    seed: int = Field(0, ge=0, lt=2**63)

    @property
    def group(self) -> str:
        """The name of all sets together."""
        return f"{self.random} random sets of {self.unseen} unseen"


class DatasetTable(BaseModel, extra="allow", frozen=True):
    """A table [datasets.NAME]; all other keys are those of [dataset] in config.toml."""

    splits: tuple[str, ...] | RandomSplits | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


class ClusterTable(BaseModel, extra="forbid", frozen=True):
    """The table [cluster]."""

    address: str = Field(description="as --cluster takes it")


class StudyTable(BaseModel, extra="forbid", frozen=True):
    """The whole of study.toml."""

    presets: tuple[Preset, ...] = Field(("default", "paper", "released"), min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((5, 6, 7, 8, 9), min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)
    cluster: ClusterTable | None = None
    datasets: dict[str, DatasetTable] = Field(min_length=1)


@dataclass(frozen=True)
class StudySplit:
    """One split of a study."""

    name: str  # of its folder
    group: str  # splits of one group are averaged: a family of published splits, or all random sets
    settings: Mapping[str, Any]  # by dotted keys; they make it this split


@dataclass(frozen=True)
class StudyDataset:
    """One data set of a study. `settings`, by dotted keys, are those of all its splits."""

    name: str
    settings: Mapping[str, Any]
    splits: tuple[StudySplit, ...] | RandomSplits


@dataclass(frozen=True)
class Study:
    """What study.toml says."""

    folder: StudyFolder
    presets: tuple[Preset, ...]
    datasets: tuple[StudyDataset, ...]
    cluster: str = ""  # the address of a Dask cluster; "" = work on this machine


def read_study(folder: StudyFolder) -> Study:
    """Read study.toml.

    Raises WrongUsage when there is none, ConfigError when it is no TOML or a key or value is wrong. The message names
    the key.
    """
    path = folder.file
    try:
        table = StudyTable.model_validate(read_toml(path))
    except FileNotFoundError:
        raise WrongUsage(f"{path}: no such file; `fsvae-pipe reproduce ntu60 --init` writes one") from None
    except ValidationError as error:
        faults = dict.fromkeys(_fault(dict(detail)) for detail in error.errors())  # each once
        raise ConfigError(f"{path}: {'; '.join(faults)}") from None
    for key in ("presets", "seeds"):
        values = getattr(table, key)
        if len(set(values)) < len(values):
            raise ConfigError(f"{path}: {key} = {list(values)} lists one twice")
    datasets = tuple(_dataset(folder, table, name) for name in table.datasets)
    return Study(folder, table.presets, datasets, table.cluster.address if table.cluster else "")


def _fault(detail: Mapping[str, Any]) -> str:
    key = ".".join(map(str, detail["loc"]))
    if "splits" in detail["loc"]:  # the message would be about each of its forms
        return (
            f"{key.partition('.splits')[0]}.splits: wanted a list of named splits, or "
            "{ random = 10, unseen = 5, seed = 1 } to draw at least two sets of unseen actions"
        )
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key}; the keys are {', '.join(StudyTable.model_fields)}"
    if detail["type"] == "missing":
        return f"{key} is missing; a table such as [datasets.ntu60] names the raw files and the splits of a data set"
    return f"{key} = {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _dataset(folder: StudyFolder, table: StudyTable, name: str) -> StudyDataset:
    """Return a data set with all its settings. They are checked here, so that a mistake costs no work."""
    source = f"{folder.file}, [datasets.{name}]"
    if not FOLDER_NAME.fullmatch(name):
        raise ConfigError(f"{source}: the name becomes a folder: use letters, digits, hyphens and underscores")
    own = table.datasets[name]
    keys = {f"dataset.{key}": value for key, value in flattened(dict(own.model_extra or {})).items()}
    settings = flattened(table.settings) | flattened(own.settings)
    for key in settings:
        if key in ELSEWHERE or key.startswith("dataset."):
            place = ELSEWHERE.get(key, f"[datasets.{name}], without dataset.")
            raise ConfigError(f"{source}: settings hold {key}, which has another place in study.toml: {place}")
    splits = own.splits if isinstance(own.splits, RandomSplits) else _splits(source, name, own.splits, keys)
    if own.splits is not None and (both := [key for key in SPLIT_KEYS if key in keys]):
        raise ConfigError(f"{source}: has splits and {both[0].removeprefix('dataset.')}; keep one of them")
    first = CUSTOM if isinstance(splits, RandomSplits) else str(splits[0].settings["dataset.split"])
    known = str(keys.get("dataset.name", name))
    if first == CUSTOM and known in NUM_ACTIONS:  # its protocol and texts are those of its named splits
        alike = next(split for split in split_names() if split_dataset(split) == known)
        base = {**split_settings(alike), "dataset.split": CUSTOM}
    else:
        base = split_settings(first, name)
    moved = {key: _moved(folder, key, value) for key, value in {**settings, **keys}.items()}
    whole = {**base, **moved, SEEDS: list(table.seeds), PRESET: table.presets[0]}
    for split in splits if isinstance(splits, tuple) else (StudySplit("", "", {}),):
        config_of({**whole, **split.settings}, source)
    return StudyDataset(name, whole, splits)


def _splits(
    source: str, dataset: str, names: tuple[str, ...] | None, keys: Mapping[str, Any]
) -> tuple[StudySplit, ...]:
    """Return the named splits `names`; without them, the one that the other keys of the table describe."""
    if names is None:
        split = str(keys.get("dataset.split", CUSTOM))
        own = {key: keys[key] for key in SPLIT_KEYS if key in keys}
        return (StudySplit(split, split, {"dataset.split": split, **own}),)
    found: dict[str, StudySplit] = {}
    divided = keys.get("dataset.name", dataset if dataset in NUM_ACTIONS else None)
    for name in names:
        members = splits_named(name)
        if not members:
            raise ConfigError(
                f'{source}: splits has "{name}", which is not a split; {known_splits(name)}. The name of a family, as '
                "ntu60-smie-55-5, stands for its three splits"
            )
        divided = divided or split_dataset(members[0])
        if split_dataset(members[0]) != divided:
            raise ConfigError(f'{source}: the split "{name}" divides {split_dataset(members[0])}, not {divided}')
        for member in members:
            found[member] = StudySplit(member, split_family(member), {"dataset.split": member})
    if not found:
        raise ConfigError(f"{source}: splits is empty; name at least one")
    return tuple(found.values())


def _moved(folder: StudyFolder, key: str, value: Any) -> Any:
    """Return a setting of study.toml as the config.toml of a data set has it: its paths are relative to that folder."""
    if isinstance(value, list) and key in PATHS:
        return [_moved(folder, key, part) for part in value]
    is_path = key in PATHS or (key == "dataset.layout" and str(value).endswith(".toml"))
    is_path = is_path or (key == "text.encoder" and (folder.root / str(value)).is_dir())
    is_path = is_path or (key == "backbone.known" and value not in (*NUM_ACTIONS, UNUSED))
    if not isinstance(value, str) or not value or not is_path:
        return value
    return in_workspace(value)


def in_workspace(path: str) -> str:
    """Return a path that is relative to study.toml as the config.toml of a data set has it."""
    return path if Path(path).expanduser().is_absolute() else f"../{path}"
