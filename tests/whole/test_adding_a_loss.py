"""CONTRIBUTING.md shows a loss in full: its text, put where it says, is all that a new loss takes."""

import csv
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models.fsvae import losses
from pipeline.workspace.config import dump_config
from tests.shared.made_features import Made, made_workspace

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "models", "data", "descriptions")
BLOCK = re.compile(
    r"^In `(\S+)`, (above|below) the line that begins with `([^`\n]+)`:\n\n```python\n(.*?)^```$", re.M | re.S
)
MOST_LINES = 15  # in the file of the losses
SMALL = Made(actions=10, unseen=(3, 7), val_unseen=(2, 9), train_clips=8, test_clips=4, features=12, text=5)
QUICK = {
    "train.workers": 1,
    "train.cycles": 2,
    "train.steps_per_cycle": 60,
    "train.batch_size": 16,
    "train.learning_rate": 1e-2,
    "model.latent": 8,
}


def blocks() -> list[tuple[str, str, str, str]]:
    """File, above or below, how the line there begins, text."""
    return BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))


def follow_the_guide(root: Path) -> None:
    """Put the guide's text into a copy of the packages in `root`, and change nothing else."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, side, beginning, text in blocks():
        lines = (root / file).read_text("utf-8").splitlines(keepends=True)
        (place,) = (at for at, line in enumerate(lines) if line.strip().startswith(beginning))
        lines.insert(place + (side == "below"), text)
        (root / file).write_text("".join(lines), "utf-8")


def test_the_guide_is_a_few_lines_in_one_file_and_its_settings() -> None:
    lines = {"models/fsvae/settings.py": 0, "models/fsvae/losses.py": 0}
    for file, _, _, text in blocks():
        lines[file] += len(text.strip().splitlines())
    assert set(lines) == {"models/fsvae/settings.py", "models/fsvae/losses.py"}
    assert 0 < lines["models/fsvae/losses.py"] <= MOST_LINES
    assert lines["models/fsvae/settings.py"] == 2


def test_clips_of_one_action_are_no_negatives_of_each_other() -> None:
    (text,) = (text for _, side, _, text in blocks() if side == "above")
    names = vars(losses).copy()
    exec(text, names)
    mu = torch.eye(3)
    settings = SimpleNamespace(infonce_temperature=0.5)

    def of(actions: torch.Tensor) -> torch.Tensor:
        step = SimpleNamespace(skeleton_mu=mu, text_mu=2 * mu, actions=actions, settings=settings)
        loss: torch.Tensor = names["infonce"](step)
        return loss

    def infonce(*actions: int) -> float:
        return float(of(torch.tensor(actions)))

    two, one = math.log(1 + 2 * math.exp(-2)), math.log(1 + math.exp(-2))  # negatives, each at a cosine of 0
    assert infonce(4, 5, 6) == pytest.approx(two)
    assert infonce(4, 4, 6) == pytest.approx((one + one + two) / 3)
    assert infonce(4, 4, 4) == pytest.approx(0, abs=1e-6)
    assert torch.vmap(of)(torch.tensor([[4, 5, 6], [4, 4, 6]])).tolist() == pytest.approx([two, (one + one + two) / 3])


@pytest.mark.slow
def test_the_loss_of_the_guide_trains_and_is_in_the_history_and_in_the_report(tmp_path: Path) -> None:
    follow_the_guide(tmp_path / "copy")
    context = made_workspace(tmp_path / "work", SMALL, QUICK)
    context.config_path.write_text(dump_config(context.config), "utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    environment["PYTHONPATH"] = str(tmp_path / "copy")
    commands = (["train", "--set", "train.infonce_weight=1"], ["evaluate"], ["report"])
    every = [["-w", str(tmp_path / "work"), *command] for command in commands]
    code = f"from pipeline.cli.main import main\nfor command in {every}: main(command, standalone_mode=False)"
    arguments = [sys.executable, "-c", code]  # one process: importing torch takes longer than the three commands
    done = subprocess.run(arguments, cwd=tmp_path / "copy", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with context.run.history.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] == "test"]
    assert float(rows[-1]["infonce"]) < 0.9 * float(rows[0]["infonce"])
    assert '"name":"InfoNCE"' in (context.run.root / "report.html").read_text("utf-8")
