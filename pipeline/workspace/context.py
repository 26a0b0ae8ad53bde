"""What a stage is given: the workspace, the settings, the name of the run, and where to write to people."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.messages.errors import OverrideError
from pipeline.workspace.config import Config
from pipeline.workspace.folder import RunFolder, Workspace


@dataclass(frozen=True)
class Context:
    """One invocation of the program."""

    workspace: Workspace
    config: Config
    config_path: Path
    console: Console  # standard error: progress and messages; results go to standard output
    run_name: str = "default"
    overrides: tuple[str, ...] = ()  # those of --set, laid over `config` already
    stale: tuple[str, ...] = ()  # earlier stages whose outputs are used although they are stale, and why

    @property
    def run(self) -> RunFolder:
        """The folder of the run that train and evaluate work on."""
        return self.workspace.run(self.run_name)

    def user_path(self, path: str) -> Path:
        """A path of config.toml, which is relative to config.toml."""
        return (self.config_path.parent / Path(path).expanduser()).resolve()


def require_device_alone(context: Context) -> None:
    """Raise OverrideError when --set names a setting that the run's records decide."""
    for override in context.overrides:
        key = override.partition("=")[0].strip()
        if key != "device":
            raise OverrideError(
                f"--set {override}: a run is used with the settings that it was made with, so that {key} would do "
                "nothing; device alone can be set here. For a run with other settings, `fsvae-pipe run --run NAME` "
                "makes one"
            )
