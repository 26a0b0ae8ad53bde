"""Writes the study.toml of a new study: for the paper's tables, for other named splits, or for a data set of one's own.

`fsvae-pipe reproduce` adds the workspaces of the study.
"""

from collections.abc import Sequence
from pathlib import Path

import tomlkit

from data.splits import NUM_ACTIONS, split_dataset, split_family, split_names, splits_named
from data.stores.files import replacing
from pipeline.messages.errors import WrongUsage
from pipeline.study.study_file import FOLDER_NAME
from pipeline.workspace.folder import StudyFolder
from pipeline.workspace.init import stored_paths

PAPER = "synse"  # the splits of FS-VAE's tables
HEAD = """\
# A study: `fsvae-pipe reproduce` makes a run for each split and preset, and the tables of all results.
# Paths are relative to this file. docs/reproducing.md says what else may stand here.
presets = ["default", "paper", "released"]
seeds = [5, 6, 7, 8, 9]

# settings as in config.toml, for every run; those of one data set stand in [datasets.NAME.settings]
[settings]
# device = "cuda"
# backbone.precision = "bf16"
"""
OWN = """\
protocol = "custom"
train_subjects = []                  # the people whose clips train; all others are the test part
descriptions = "descriptions.csv"    # action,label,local,global
# layout, fps, manifest: as in config.toml
splits = { random = 10, unseen = 5, seed = 1 }
"""


def begin(folder: StudyFolder, names: Sequence[str], raw: Sequence[Path], own: bool) -> None:
    """Write study.toml for `names`: data sets, named splits or families of them.

    With `own`, a name that is none of these becomes a data set of the user's. Raises WrongUsage for a name that can't
    stand in a new study, and without names.
    """
    known = f"{', '.join(NUM_ACTIONS)}, a named split, or a name of your own with --init"
    if not names:
        raise WrongUsage(f"{folder.file}: no such file; name what the new study is of: {known}")
    tables: dict[str, list[str]] = {}
    for name in names:
        splits = _paper_splits(name) if name in NUM_ACTIONS else [name] if splits_named(name) else []
        if not splits and not (own and FOLDER_NAME.fullmatch(name)):
            raise WrongUsage(f'{folder.file}: no such file, and "{name}" can\'t begin a new study; name {known}')
        dataset = split_dataset(splits_named(splits[0])[0]) if splits else name
        tables.setdefault(dataset, []).extend(split for split in splits if split not in tables.get(dataset, []))
    text = HEAD
    paths = tomlkit.item([str(path) for path in stored_paths(raw, folder.root)]).as_string()
    for dataset, splits in tables.items():
        text += f"\n[datasets.{dataset}]\nraw = {paths}\n"
        text += f"splits = {tomlkit.item(splits).as_string()}\n" if splits else OWN
        if dataset == "pku51":
            text += "# docs/reproducing.md says how to get these two files\n"
            text += 'manifest = "clips.csv"\nprotocol_list = "cross-subject.txt"\n'
    folder.root.mkdir(parents=True, exist_ok=True)
    with replacing(folder.file) as partial:
        partial.write_text(text, "utf-8")


def _paper_splits(dataset: str) -> list[str]:
    """The splits of the paper's tables; of a data set that the paper has not, all, families by their names."""
    named = [split for split in split_names() if split_dataset(split) == dataset]
    paper = [split for split in named if PAPER in split]
    return paper or list(dict.fromkeys(split_family(split) for split in named))
