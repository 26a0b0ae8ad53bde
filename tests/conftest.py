"""Data sets and workspaces that several tests share, made once a session. All stages run on them in seconds."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipeline.cli.main import main
from pipeline.demo.made_clips import MadeDataset, write_raw_clips
from tests.shared.made_published import Published

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run beside each other, one on each core; torch is not loaded yet

TINY = MadeDataset(actions=(1, 2, 3, 4, 6, 7, 8, 9), subjects=4, replications=2, frames=(12, 20), seed=11)
TINY_CONFIG = """
seed = 11
device = "cpu"

[dataset]
name = "tiny"
raw = ["raw/setup1", "raw/setup2.zip"]
protocol = "custom"
train_subjects = [1, 3, 4]
descriptions = "descriptions.csv"
split = "custom"
unseen = ["A001", "A007"]
val_unseen = ["A003", "A009"]
fps = 10  # the clips are so short that at 30 no person could move like that

[preprocess]
fps = 10
workers = 1

[backbone]
frames = 12
epochs = 6
keep = "last"
batch_size = 8
learning_rate = 0.005
schedule = "one-cycle"

[text]
encoder = "minilm"

[train]
cycles = 2
steps_per_cycle = 20
learning_rate = 1e-3
workers = 1
"""


@dataclass(frozen=True)
class TinyRun:
    """A workspace after all stages, and what they wrote to the console."""

    root: Path
    progress: str


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with setup1/ and setup2.zip: 64 short clips of 8 of the demo's actions by 4 people, and 5 broken files.

    It is shared: read it, but don't write in it.
    """
    folder = tmp_path_factory.mktemp("tiny") / "raw"
    write_raw_clips(folder, TINY)
    return folder


@pytest.fixture(scope="session")
def tiny_workspace_config() -> str:
    """config.toml for the clips of `tiny_raw`, with short training; raw/ and descriptions.csv must stand beside it."""
    return TINY_CONFIG


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path, tiny_workspace_config: str) -> TinyRun:
    """A workspace of `tiny_raw` after all stages. It is shared: copy it (shutil.copytree) to change it."""
    from pipeline.running.run import run_stages
    from pipeline.stages.table import STAGES
    from pipeline.workspace.config import load_config
    from pipeline.workspace.context import Context
    from pipeline.workspace.folder import Workspace

    workspace = Workspace(tmp_path_factory.mktemp("tiny-run"))
    lay_out(workspace.root, tiny_raw, tiny_workspace_config)
    progress = io.StringIO()
    console = Console(file=progress, width=200)
    run_stages(Context(workspace, load_config(workspace.config), workspace.config, console), STAGES)
    return TinyRun(workspace.root, progress.getvalue())


@pytest.fixture(scope="session")
def scored_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of made features with a scored run, for tests of the report. It is shared: copy it to change it."""
    from tests.shared.made_report import write_report_workspace

    root = tmp_path_factory.mktemp("report") / "work"
    write_report_workspace(root)
    return root


@pytest.fixture(scope="session")
def report_page(scored_work: Path) -> Path:
    """The page that `fsvae-pipe report` writes about the run of `scored_work`."""
    done = CliRunner().invoke(main, ["-w", str(scored_work), "report"])
    page = scored_work / "runs" / "default" / "report.html"
    assert done.exit_code == 0, done.output
    assert done.stdout == f"wrote {page}\n"
    return page


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A new workspace for NTU RGB+D 60, split 55/5."""
    folder = tmp_path / "work"
    made = CliRunner().invoke(main, ["-w", str(folder), "init", "ntu60-synse-55-5"])
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    """A published feature folder of the test phase, for the split of `work`."""
    return Published().write_test(tmp_path / "shift_5_r")


@pytest.fixture
def shift_val(tmp_path: Path) -> Path:
    """A published feature folder of the val phase, for the split of `work`."""
    return Published().write_val(tmp_path / "shift_val_5_r")


def lay_out(root: Path, raw: Path, config: str) -> None:
    """Put config.toml, descriptions.csv and a link raw/ to the folder `raw` into the folder `root`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "raw").symlink_to(raw, target_is_directory=True)
    descriptions = Path(__file__).parents[1] / "descriptions" / "demo.csv"
    (root / "descriptions.csv").write_bytes(descriptions.read_bytes())
    (root / "config.toml").write_text(config, "utf-8")
