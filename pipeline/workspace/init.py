"""`fsvae-pipe init`: writes a config.toml that shows every key.

The keys that depend on the split are set. All others are comments that give the default and the meaning. Both come
from the settings classes, so that the file always agrees with the program.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel

from data.splits import CUSTOM, known_splits, split_dataset, split_names
from data.stores.files import replacing
from models.fsvae.presets import OF_DATASET
from pipeline.messages.errors import PipelineError, WrongUsage
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace

# The form in which PKU-MMD comes: its skeleton files, and the list of its protocol, to be copied into the workspace
PKU_MMD = {"dataset.layout": "pku-mmd", "dataset.protocol_list": "cross-subject.txt"}


def init(
    workspace: Workspace,
    split: str,
    raw: Sequence[Path] = (),
    name: str = "custom",
    force: bool = False,
    recordings: Mapping[str, Any] | None = None,
) -> Path:
    """Write config.toml for the named `split`, or for a custom split of a data set called `name`; return its path.

    `recordings` has the options that say how raw files are read: layout, fps, mirrored, manifest.

    Raises WrongUsage when there is no such split, PipelineError when the file exists and `force` is not given.
    """
    if split != CUSTOM and split not in split_names():
        raise WrongUsage(f'"{split}" is not a split; {known_splits(split)}')
    if workspace.config.exists() and not force:
        raise PipelineError(f"{workspace.config} already exists; edit it, or replace it with --force")
    chosen = {f"dataset.{key}": value for key, value in _dataset(raw, recordings or {}, workspace.root).items()}
    chosen = split_settings(split, name) | chosen
    write_config(workspace.config, chosen)
    return workspace.config


def split_settings(split: str, name: str = CUSTOM) -> dict[str, Any]:
    """Return the settings, by dotted keys, that a named `split` needs, or a custom one of a data set called `name`."""
    if split == CUSTOM:
        chosen: dict[str, Any] = {"dataset.name": name, "dataset.protocol": "custom", "dataset.train_subjects": []}
        chosen |= {"dataset.descriptions": "descriptions.csv", "dataset.split": split}
        return chosen | {"dataset.unseen": [], "dataset.val_unseen": []}
    dataset = split_dataset(split)
    chosen = {"dataset.name": dataset, "dataset.protocol": "xsub", "dataset.split": split}
    return {**chosen, **OF_DATASET.get(dataset, {}), **(PKU_MMD if dataset == "pku51" else {})}


def missing_list(workspace: Workspace, split: str) -> Path | None:
    """Return where `init` expects the list of the protocol of `split`, if there is no such file yet."""
    is_listed = split in split_names() and split_dataset(split) == "pku51"
    path = workspace.root / PKU_MMD["dataset.protocol_list"]
    return path if is_listed and not path.exists() else None


def write_config(path: Path, chosen: Mapping[str, Any], head: str = "") -> None:
    """Write a config.toml in which the dotted keys of `chosen` are set and all others are comments, below `head`."""
    text = head + "\n".join(_lines(Config, Config(), "", chosen)) + "\n"
    build_config(tomlkit.parse(text).unwrap(), str(path))
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")


def set_dataset(context: Context, raw: Sequence[Path], recordings: Mapping[str, Any]) -> Config:
    """Set keys of [dataset] in the config.toml of `context` and return the new settings; nothing else changes.

    `recordings` has the options that say how raw files are read: layout, fps, mirrored, manifest. Paths are relative to
    the current folder.
    """
    changed = _dataset(raw, recordings, context.paths_from)
    if not raw:
        del changed["raw"]
    document = tomlkit.parse(context.config_path.read_text("utf-8-sig"))
    document.setdefault("dataset", tomlkit.table()).update(changed)
    build_config(document.unwrap(), str(context.config_path))
    with replacing(context.config_path) as partial:
        partial.write_text(tomlkit.dumps(document), "utf-8")
    changed = {key: tuple(value) if isinstance(value, list) else value for key, value in changed.items()}
    dataset = context.config.dataset.model_copy(update=changed)
    return context.config.model_copy(update={"dataset": dataset})


def _dataset(raw: Sequence[Path], recordings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the keys of [dataset] that a command's options set, with paths as config.toml in `folder` has them."""
    given = {key: value for key, value in recordings.items() if value}
    for key, value in given.items():
        if isinstance(value, Path) or (key == "layout" and value.endswith(".toml")):
            given[key] = str(stored_paths([Path(value)], folder)[0])
    return {"raw": [str(path) for path in stored_paths(raw, folder)], **given}


def stored_paths(raw: Sequence[Path], folder: Path) -> list[Path]:
    """Return the paths `raw`, which are relative to the current folder, as config.toml holds them.

    Paths in config.toml are relative to `folder`. A path below it is stored relative to it, any other in full.
    """
    return [_stored_path(path.expanduser(), folder) for path in raw]


def _stored_path(path: Path, folder: Path) -> Path:
    """Return `path` relative to `folder` if it lies below it, else in full. A link in `folder` is not followed."""
    named = path.absolute()
    if ".." not in named.parts and named.is_relative_to(folder.absolute()):
        return named.relative_to(folder.absolute())
    whole, folder = path.resolve(), folder.resolve()
    return whole.relative_to(folder) if whole.is_relative_to(folder) else whole


def _lines(model: type[BaseModel], defaults: BaseModel, table: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one table: its keys, then the tables in it."""
    inner: list[tuple[str, BaseModel]] = []
    for field, info in model.model_fields.items():
        value = getattr(defaults, field)
        key = f"{table}{info.alias or field}"
        if isinstance(value, BaseModel):
            inner.append((key, value))
            continue
        shown = defaults.model_dump(mode="json", include={field})[field]
        line = f"{key.rpartition('.')[2]} = {_toml(chosen.get(key, shown))}"
        yield f"{line if key in chosen else f'# {line}':<50} # {info.description}"
    for key, value in inner:
        yield f"\n[{key}]"
        if value.__doc__:
            yield f"# {value.__doc__.splitlines()[0]}"
        yield from _lines(type(value), value, f"{key}.", chosen)


def _toml(value: Any) -> str:
    return str(tomlkit.item(value).as_string())
