"""The workspace: the one place where paths inside it are spelled."""

from dataclasses import dataclass
from pathlib import Path

from data.phase_names import PhaseName


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, runs/NAME/."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved settings that the run was trained with."""
        return self.root / "config.toml"

    @property
    def environment(self) -> Path:
        """Versions, device and threads of the machine that trained it."""
        return self.root / "environment.json"

    @property
    def history(self) -> Path:
        """Losses along training, one row a seed, phase and logged step."""
        return self.root / "history.csv"

    @property
    def model(self) -> Path:
        """Weights of both phases after every cycle, for every seed."""
        return self.root / "model.safetensors"

    @property
    def members(self) -> Path:
        """The members that are trained so far, while a run trains."""
        return self.root / "members"

    def member(self, seed: int, phase: PhaseName) -> Path:
        """One trained member."""
        return self.members / f"{seed}-{phase}.safetensors"

    @property
    def results(self) -> Path:
        """Accuracies under every selection rule."""
        return self.root / "results.json"

    @property
    def predictions(self) -> Path:
        """Scores of every test clip."""
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
        """The settings, written by `init` and edited by the user."""
        return self.root / "config.toml"

    @property
    def lock(self) -> Path:
        """Held while a command writes in the workspace."""
        return self.root / ".lock"

    @property
    def skeletons(self) -> Path:
        """Normalised clips, ragged."""
        return self.root / "skeletons.h5"

    @property
    def rejects(self) -> Path:
        """The refused raw files, each with its reason."""
        return self.root / "rejects.csv"

    @property
    def descriptions(self) -> Path:
        """Texts to begin with, written by `texts --init`; used when dataset.descriptions names them."""
        return self.root / "descriptions.csv"

    @property
    def text(self) -> Path:
        """Text features of every action at every level."""
        return self.root / "text.h5"

    def features(self, phase: PhaseName) -> Path:
        """Skeleton features and backbone logits of every clip, from one phase's backbone."""
        return self.root / "features" / f"{phase}.h5"

    def backbone(self, phase: PhaseName) -> Path:
        """Weights of one phase's Shift-GCN."""
        return self.root / "backbones" / f"{phase}.safetensors"

    def backbone_training(self, phase: PhaseName) -> Path:
        """The state of one phase's training after its last epoch; gone when the backbone is done."""
        return self.root / "backbones" / f"{phase}.training.safetensors"

    @property
    def report(self) -> Path:
        """The page of several runs side by side."""
        return self.root / "report.html"

    def run(self, name: str) -> RunFolder:
        """The folder of the run `name`."""
        return RunFolder(self.root / "runs" / name)

    def sweep(self, grid: str) -> Path:
        """The results of a sweep, a line for each row and selection rule."""
        return self.root / "sweeps" / f"{grid}.csv"
