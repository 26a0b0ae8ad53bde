"""`reproduce --dry-run`: every stage that would run is named with a measured time, and nothing is written."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipeline.cli.main import main
from pipeline.study import estimate, pieces
from pipeline.workspace.config import Config
from tests.pipeline.study.conftest import MadeStudy
from tests.pipeline.study.made_study import lay_out_study

TIME = re.compile(r"about [0-9.]+ (s|min|h)$")


def test_a_new_study_is_estimated_from_its_raw_clips(tmp_path: Path, tiny_raw: Path) -> None:
    root = lay_out_study(tmp_path / "study", tiny_raw)
    before = sorted(root.iterdir())
    done = CliRunner().invoke(main, ["-w", str(root), "reproduce", "--dry-run"])
    assert done.exit_code == 0, done.output
    *steps, total = done.stdout.splitlines()
    assert [step.rsplit(": ", 2)[0] for step in steps[:4]] == [
        "tiny: preprocess", "tiny: embed-text", "tiny/random-1: extract", "tiny/random-1 default: train",
    ]  # fmt: skip
    assert len(steps) == 2 + 2 * (1 + 2 * 2)
    assert all(TIME.search(step) for step in steps)
    assert "tiny: preprocess: 68 clips" in steps[0]
    assert "2 backbones for 1 epochs" in steps[2]
    assert total.startswith("12 stages: about ")
    assert sorted(root.iterdir()) == before


def test_a_gpu_trains_all_seeds_and_phases_in_the_time_of_one_training(
    tmp_path: Path, tiny_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, at_once = lay_out_study(tmp_path / "study", tiny_raw), list[int]()

    def aligner(config: Config, clips: int, seen: int, number: int) -> tuple[float, float]:
        at_once.append(number)
        return 120.0, 0.0  # whatever the steps

    monkeypatch.setattr(estimate, "torch_device", lambda name: torch.device("cuda"))
    for piece, made in (("aligner", aligner), ("scoring", lambda *_: 0.0), ("backbone", lambda *_: (0.0, 0.0))):
        monkeypatch.setattr(pieces, piece, made)
    done = CliRunner().invoke(main, ["-w", str(root), "reproduce", "--dry-run"])
    assert done.exit_code == 0, done.output
    training = [line for line in done.stdout.splitlines() if ": train: " in line]
    seeds = re.findall(r"(\d+) seeds", "".join(training))
    assert at_once == [2 * int(seeds[0])] * 2  # one for each preset
    assert all(line.endswith(": about 2 min") for line in training)


def test_a_finished_study_has_nothing_to_do(made_study: MadeStudy) -> None:
    done = CliRunner().invoke(main, ["-w", str(made_study.root), "reproduce", "--dry-run"])
    assert done.stdout == "nothing to do: every run is up to date\n"


def test_what_a_study_lacks_is_said_as_reproduce_says_it(tmp_path: Path, tiny_raw: Path) -> None:
    root = lay_out_study(tmp_path / "study", tiny_raw)
    (root / "study.toml").write_text((root / "study.toml").read_text().replace("train_subjects = ", "# "), "utf-8")
    done = CliRunner().invoke(main, ["-w", str(root), "reproduce", "--dry-run"])
    assert done.exit_code == 1
    assert "[dataset] is not complete: fill in train_subjects" in done.stderr
    assert f"`fsvae-pipe -w {root} reproduce --init` first brings the workspaces in line with study.toml" in done.stderr
