"""What a stage is given: the workspace, the settings, the name of the run, and where to write to people."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.config import Config
from pipeline.workspace import RunFolder, Workspace


@dataclass(frozen=True)
class Context:
    """One invocation of the program."""

    workspace: Workspace
    config: Config
    config_path: Path
    console: Console  # standard error: progress and messages; results go to standard output
    run_name: str = "default"

    @property
    def run(self) -> RunFolder:
        """The folder of the run that train and evaluate work on."""
        return self.workspace.run(self.run_name)

    def user_path(self, path: str) -> Path:
        """A path of config.toml, which is relative to config.toml."""
        return (self.config_path.parent / Path(path).expanduser()).resolve()
