"""What every stage and command gets: the workspace, the settings, the name of the run, and the console."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.messages.errors import OverrideError
from pipeline.workspace.config import Config
from pipeline.workspace.folder import RunFolder, Workspace


@dataclass(frozen=True)
class Context:
    """One call of the program."""

    workspace: Workspace
    config: Config
    config_path: Path
    console: Console  # progress and messages, on standard error; results go to standard output
    run_name: str = "default"
    overrides: tuple[str, ...] = ()  # the values of --set; `config` has them already
    stale: tuple[str, ...] = ()  # stale stages, with the reasons, whose outputs a stage uses although they are stale

    @property
    def run(self) -> RunFolder:
        """The run that train and evaluate work on."""
        return self.workspace.run(self.run_name)

    @property
    def paths_from(self) -> Path:
        """The folder that paths in config.toml are relative to.

        It is that of config.toml, or for runs/NAME/config.toml the workspace; and where that one takes skeletons.h5
        from another workspace, the other one.
        """
        folder = self.config_path.parent
        run = folder.resolve()
        return Workspace(run.parent.parent if RunFolder(run).is_of_a_workspace else folder).shared

    def user_path(self, path: str) -> Path:
        """Return the absolute form of a path that stands in config.toml."""
        return (self.paths_from / Path(path).expanduser()).resolve()


def require_device_alone(context: Context) -> None:
    """Raise OverrideError when --set changes another setting than `device`: a finished run keeps its settings."""
    for override in context.overrides:
        key = override.partition("=")[0].strip()
        if key != "device":
            raise OverrideError(
                f"--set {override}: a finished run keeps the settings that it was made with, so {key} would change "
                "nothing; only device can be set here. `fsvae-pipe run --run NAME` makes a run with other settings"
            )
