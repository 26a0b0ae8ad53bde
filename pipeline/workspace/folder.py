"""Every path inside a workspace or a study. No other module spells one.

Several workspaces can share skeletons.h5 and text.h5: those of one data set, each with another split. A workspace with
a file shared.toml takes both from the workspace that the file names. That one alone writes them.
"""

import os
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data.phase_names import PhaseName
from pipeline.messages.errors import ConfigError, WrongUsage

SHARED_FORM = 'wanted a line such as folder = ".."; without the file, the workspace has skeletons.h5 and text.h5 itself'


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, runs/NAME/."""

    root: Path

    @property
    def is_of_a_workspace(self) -> bool:
        """Whether the folder is runs/NAME/ of a workspace and holds a run."""
        return self.root.parent.name == "runs" and self.environment.is_file()

    @property
    def config(self) -> Path:
        """All settings that the run was trained with."""
        return self.root / "config.toml"

    @property
    def environment(self) -> Path:
        """The versions, the device and the threads that the run was trained with."""
        return self.root / "environment.json"

    @property
    def history(self) -> Path:
        """The losses of training: one row for each seed, phase and logged step."""
        return self.root / "history.csv"

    @property
    def model(self) -> Path:
        """The states of every member after every cycle; a member is one seed in one phase."""
        return self.root / "model.safetensors"

    @property
    def members(self) -> Path:
        """The members that are trained already; the folder exists only while the run trains."""
        return self.root / "members"

    def member(self, seed: int, phase: PhaseName) -> Path:
        """One trained member."""
        return self.members / f"{seed}-{phase}.safetensors"

    @property
    def results(self) -> Path:
        """The accuracies under every selection rule."""
        return self.root / "results.json"

    @property
    def predictions(self) -> Path:
        """The scores of every test clip."""
        return self.root / "predictions.h5"

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.root / "report.html"


@dataclass(frozen=True)
class Workspace:
    """The files of a workspace folder."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings. `init` writes them, the user edits them."""
        return self.root / "config.toml"

    @property
    def lock(self) -> Path:
        """Locked while a command writes in the workspace."""
        return self.root / ".lock"

    @property
    def cluster(self) -> Path:
        """What is written for the workers of a cluster; the folder exists only while a command uses --cluster."""
        return self.root / ".cluster"

    @property
    def shared_file(self) -> Path:
        """Names the workspace whose skeletons.h5 and text.h5 this one uses. Most workspaces have none."""
        return self.root / "shared.toml"

    @cached_property
    def shared(self) -> Path:
        """The workspace of skeletons.h5 and text.h5: that which shared.toml names, else this one.

        Paths in config.toml are relative to it, so that all workspaces that share name the same files in the same way.
        Raises ConfigError when shared.toml does not name a folder.
        """
        try:
            tree = tomllib.loads(self.shared_file.read_text("utf-8"))
        except FileNotFoundError:
            return self.root
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.shared_file}: can't be read ({error}); {SHARED_FORM}") from error
        folder = tree.get("folder")
        if set(tree) != {"folder"} or not isinstance(folder, str) or not (self.root / folder).is_dir():
            raise ConfigError(f"{self.shared_file}: does not name a folder that is there; {SHARED_FORM}")
        shared = (self.root / folder).resolve()
        return self.root if shared == self.root.resolve() else shared

    @property
    def skeletons(self) -> Path:
        """The normalised clips, each of its own length."""
        return self.shared / "skeletons.h5"

    @property
    def checks(self) -> Path:
        """What seems wrong with clips, each with its evidence."""
        return self.shared / "checks.csv"

    @property
    def rejects(self) -> Path:
        """The raw files that were refused, each with the reason."""
        return self.shared / "rejects.csv"

    @property
    def descriptions(self) -> Path:
        """A table of texts to fill in, written by `texts --init`. It is read only if dataset.descriptions names it."""
        return self.shared / "descriptions.csv"

    @property
    def text(self) -> Path:
        """The text features of every action at every level."""
        return self.shared / "text.h5"

    def is_shared(self, path: Path) -> bool:
        """Whether `path`, an output, belongs to the workspace that shared.toml names: only that one may write it."""
        return self.shared != self.root and path.parent == self.shared

    def named(self, path: Path) -> str:
        """Return `path`, an output, as it is seen from the workspace: "features/test.h5", "../text.h5"."""
        return os.path.relpath(path, self.root.resolve() if self.is_shared(path) else self.root)

    def features(self, phase: PhaseName) -> Path:
        """The features and logits of every clip, from the backbone of one phase."""
        return self.root / "features" / f"{phase}.h5"

    def backbone(self, phase: PhaseName) -> Path:
        """The weights of one phase's backbone."""
        return self.root / "backbones" / f"{phase}.safetensors"

    def backbone_training(self, phase: PhaseName) -> Path:
        """The state of a backbone's training after its last epoch. It is deleted when the backbone is done."""
        return self.root / "backbones" / f"{phase}.training.safetensors"

    @property
    def report(self) -> Path:
        """The page of several runs side by side."""
        return self.root / "report.html"

    def run(self, name: str) -> RunFolder:
        """The folder of the run `name`. Raises WrongUsage when `name` can't be the name of a folder in runs/."""
        if name != Path(name).name or not name.strip() or name.startswith(".") or not name.isprintable():
            raise WrongUsage(
                f'run "{name}": must be a plain name, not empty, that does not begin with "." and holds no line break; '
                "it names a folder in runs/"
            )
        return RunFolder(self.root / "runs" / name)

    def sweep(self, grid: str) -> Path:
        """The results of a sweep: a line for each row of the grid and each selection rule."""
        return self.root / "sweeps" / f"{grid}.csv"


@dataclass(frozen=True)
class StudyFolder:
    """The files of a study: a workspace for each data set, in it one for each split, and the tables of all results."""

    root: Path

    @property
    def file(self) -> Path:
        """What the study consists of: data sets, splits, presets and seeds."""
        return self.root / "study.toml"

    def dataset(self, name: str) -> Workspace:
        """The workspace of a data set, whose skeletons.h5 and text.h5 all its splits use."""
        return Workspace(self.root / name)

    def split(self, dataset: str, name: str) -> Workspace:
        """The workspace of one split."""
        return Workspace(self.root / dataset / name)

    @property
    def csv(self) -> Path:
        """All results: a line for each split, preset and selection rule."""
        return self.root / "table.csv"

    @property
    def tex(self) -> Path:
        """The tables for a paper."""
        return self.root / "table.tex"

    @property
    def page(self) -> Path:
        """The tables as a page, with a link to the report of each run."""
        return self.root / "report.html"
