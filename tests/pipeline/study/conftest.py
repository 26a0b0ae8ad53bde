"""The small study after `fsvae-pipe reproduce`, made once a session."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main
from tests.pipeline.study.made_study import lay_out_study


@dataclass(frozen=True)
class MadeStudy:
    """A finished study, and what the command wrote to the screen and the console."""

    root: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def made_study(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> MadeStudy:
    """The study of made_study.py after all stages. It is shared: copy it (shutil.copytree) to change it."""
    root = lay_out_study(tmp_path_factory.mktemp("study") / "study", tiny_raw)
    done = CliRunner().invoke(main, ["-w", str(root), "reproduce"])
    assert done.exit_code == 0, done.output
    return MadeStudy(root, done.stdout, done.stderr)
