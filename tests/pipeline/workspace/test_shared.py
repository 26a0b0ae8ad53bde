"""Workspaces that share skeletons.h5 and text.h5: one writes them, the others read them and say what differs."""

import io
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipeline.cli.main import main
from pipeline.messages.errors import ConfigError, PipelineError
from pipeline.running.run import run_stages
from pipeline.running.staleness import stage_states
from pipeline.stages.table import STAGES
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun


def context_of(workspace: Workspace, *overrides: str) -> Context:
    config = load_config(workspace.config, overrides)
    return Context(workspace, config, workspace.config, Console(file=io.StringIO()), overrides=overrides)


def states(workspace: Workspace, *overrides: str) -> dict[str, str]:
    return {state.stage: state.state for state in stage_states(context_of(workspace, *overrides))}


@pytest.fixture
def owner(tiny_run: TinyRun, tmp_path: Path) -> Workspace:
    """The workspace of a data set: skeletons.h5 and text.h5, and no features."""
    root = tmp_path / "tiny"
    ignored = shutil.ignore_patterns("features", "backbones", "runs")
    shutil.copytree(tiny_run.root, root, symlinks=True, ignore=ignored)
    return Workspace(root)


@pytest.fixture
def split(owner: Workspace) -> Workspace:
    """A workspace that shares both."""
    workspace = Workspace(owner.root / "first")
    workspace.root.mkdir()
    shutil.copy(owner.config, workspace.config)
    workspace.shared_file.write_text('folder = ".."\n', "utf-8")
    return workspace


def test_what_is_shared_is_up_to_date_in_every_split(split: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"preprocess": "done", "extract": "missing", "embed-text": "done", "train": "missing"}
    assert states(split).items() >= wanted.items()
    monkeypatch.chdir(split.root)
    assert states(Workspace(Path())).items() >= wanted.items()


def test_a_moved_data_set_stays_up_to_date(split: Workspace, tmp_path: Path) -> None:
    moved = split.root.parent.rename(tmp_path / "elsewhere") / split.root.name
    assert states(Workspace(moved))["preprocess"] == "done"


def test_a_changed_description_is_a_change_in_every_split(owner: Workspace, split: Workspace) -> None:
    path = owner.root / "descriptions.csv"
    path.write_text(path.read_text("utf-8").replace("arm", "hand", 1), "utf-8")
    assert states(owner)["embed-text"] == states(split)["embed-text"] == "stale"


def test_a_split_writes_nothing_that_others_use(split: Workspace) -> None:
    assert states(split, "preprocess.fps=30")["preprocess"] == "stale"
    with pytest.raises(PipelineError, match=r"preprocess is stale \(preprocess.fps changed.*-w .*/tiny preprocess`"):
        run_stages(context_of(split, "preprocess.fps=30"), STAGES)
    done = CliRunner().invoke(main, ["-w", str(split.root), "import", "text", "a.npy", "b.npy", "c.npy"])
    assert done.exit_code == 1
    assert "used by all splits of the data set: import it there" in done.stderr


def test_a_missing_output_is_named_as_seen_from_the_split(owner: Workspace, split: Workspace) -> None:
    owner.text.unlink()
    [state] = [state for state in stage_states(context_of(split)) if state.stage == "embed-text"]
    assert state.reasons == ("no ../text.h5",)


@pytest.mark.parametrize("content", ["", "folder = 1", "folder = 'no folder'", "folder = '..'\nother = 1", "folder ="])
def test_a_file_that_names_no_folder_is_refused(split: Workspace, content: str) -> None:
    split.shared_file.write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=r"shared\.toml: .*wanted a line such as"):
        states(Workspace(split.root))
