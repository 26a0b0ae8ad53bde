"""The workspaces of a study: which there are, what their config.toml says, and the contexts that stages get.

STUDY/study.toml
STUDY/ntu60/                     the workspace of a data set: skeletons.h5 and text.h5, for all its splits
STUDY/ntu60/ntu60-synse-55-5/    the workspace of a split: features, and a run for each preset
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from data.errors import DataError
from data.splits import action_label, random_splits
from data.stores.files import replacing
from pipeline.messages.errors import ConfigError
from pipeline.study.study_file import Preset, RandomSplits, Study, StudyDataset, StudySplit
from pipeline.workspace.config import PRESET, config_of, load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.init import write_config

HEAD = (
    "# `fsvae-pipe reproduce` writes this file from study.toml: change settings there. Paths are relative to the\n"
    "# folder of the data set.\n"
)
SHARED = (
    "# skeletons.h5 (with rejects.csv and checks.csv) and text.h5 of this workspace lie in this folder, and paths in\n"
    '# config.toml are relative to it. `fsvae-pipe reproduce` writes this file.\nfolder = ".."\n'
)


def dataset_context(study: Study, dataset: StudyDataset, console: Console) -> Context:
    """The context of the stages that all splits share, preprocess and embed-text."""
    return _context(study, study.folder.dataset(dataset.name), dataset.settings, console)


def run_context(study: Study, dataset: StudyDataset, split: StudySplit, preset: Preset, console: Console) -> Context:
    """The context of one run: a split with a preset. `extract` does not depend on the preset."""
    workspace = study.folder.split(dataset.name, split.name)
    return _context(study, workspace, {**dataset.settings, **split.settings, PRESET: preset}, console, preset)


def _context(
    study: Study, workspace: Workspace, settings: Mapping[str, Any], console: Console, run: str = "default"
) -> Context:
    return Context(workspace, config_of(settings, str(study.folder.file)), workspace.config, console, run)


def splits_of(study: Study, dataset: StudyDataset) -> tuple[StudySplit, ...]:
    """Return the splits of a data set.

    Raises DataError while random ones can't be drawn, because the clips are not known yet or have too few actions.
    """
    drawn = dataset.splits
    if not isinstance(drawn, RandomSplits):
        return drawn
    from data.stores import h5  # h5py is slow to import

    path = study.folder.dataset(dataset.name).skeletons
    if not path.is_file():
        raise DataError(f"{drawn.group} actions are drawn after preprocess, from the actions that have clips")
    with h5.reading(path) as file:
        actions = {int(action) for action in h5.read_array(file, "clip/action")}
    sets = random_splits(actions, drawn.random, drawn.unseen, drawn.seed)
    return tuple(
        StudySplit(
            f"random-{number}",
            drawn.group,
            {
                "dataset.unseen": [action_label(action) for action in unseen],
                "dataset.val_unseen": [action_label(action) for action in val_unseen],
            },
        )
        for number, (unseen, val_unseen) in enumerate(sets, start=1)
    )


def drawn_splits(study: Study, dataset: StudyDataset) -> tuple[tuple[StudySplit, ...], str]:
    """Return the splits of a data set, and why there are none yet; "" when there are."""
    try:
        return splits_of(study, dataset), ""
    except DataError as error:
        return (), str(error)


def lay_out(study: Study, dataset: StudyDataset, split: StudySplit | None, console: Console) -> None:
    """Write config.toml of a data set, or of one of its splits, if it does not say yet what study.toml says."""
    workspace = study.folder.split(dataset.name, split.name) if split else study.folder.dataset(dataset.name)
    settings = {**dataset.settings, **(split.settings if split else {})}
    workspace.root.mkdir(parents=True, exist_ok=True)
    if split and not workspace.shared_file.exists():
        with replacing(workspace.shared_file) as partial:
            partial.write_text(SHARED, "utf-8")
    if workspace.config.exists():
        wanted = config_of(settings, str(study.folder.file)).flat()
        changed = _differences(workspace.config, wanted)
        if not changed:
            return
        message = f"{workspace.config}: written again, because study.toml says otherwise: {', '.join(changed)}"
        console.print(message, style="yellow", markup=False, highlight=False)
    write_config(workspace.config, settings, HEAD)


def _differences(path: Path, wanted: Mapping[str, Any]) -> list[str]:
    """The keys in which a config.toml does not say what is wanted."""
    try:
        found = load_config(path).flat()
    except ConfigError:
        return ["it can't be read"]
    return [key for key, value in wanted.items() if found.get(key) != value]
