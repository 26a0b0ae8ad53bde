"""Every path inside a workspace. No other module spells one."""

from dataclasses import dataclass
from pathlib import Path

from data.phase_names import PhaseName
from pipeline.messages.errors import WrongUsage


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
    def skeletons(self) -> Path:
        """The normalised clips, each of its own length."""
        return self.root / "skeletons.h5"

    @property
    def checks(self) -> Path:
        """What seems wrong with clips, each with its evidence."""
        return self.root / "checks.csv"

    @property
    def rejects(self) -> Path:
        """The raw files that were refused, each with the reason."""
        return self.root / "rejects.csv"

    @property
    def descriptions(self) -> Path:
        """A table of texts to fill in, written by `texts --init`. It is read only if dataset.descriptions names it."""
        return self.root / "descriptions.csv"

    @property
    def text(self) -> Path:
        """The text features of every action at every level."""
        return self.root / "text.h5"

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
