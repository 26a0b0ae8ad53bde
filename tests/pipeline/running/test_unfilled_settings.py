"""A config.toml that is not filled in is refused before the first stage works for hours."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def work(tmp_path: Path, tiny_raw: Path) -> Path:
    folder = tmp_path / "work"
    assert call("-w", folder, "init", "custom", "--raw", tiny_raw / "setup1").exit_code == 0
    return folder


def test_run_names_all_that_is_missing_and_runs_nothing(work: Path) -> None:
    result = call("-w", work, "run")
    assert result.exit_code == 1
    for wanted in ("unseen = [", "train_subjects = [", f"write {work / 'descriptions.csv'}", "nothing was run"):
        assert wanted in result.stderr
    assert " raw = [" not in result.stderr
    assert f"`fsvae-pipe -w {work} texts --init`" in result.stderr
    assert not (work / "skeletons.h5").exists()


def test_raw_is_named_with_the_rest(tmp_path: Path) -> None:
    assert call("-w", tmp_path, "init", "custom").exit_code == 0
    assert "fill in raw = [...] (" in call("-w", tmp_path, "run").stderr


def test_each_is_no_longer_asked_for_once_it_is_there(work: Path) -> None:
    config = work / "config.toml"
    config.write_text(config.read_text("utf-8").replace("\nunseen = []", '\nunseen = ["A001"]'), "utf-8")
    assert "unseen = [" not in call("-w", work, "run").stderr
    config.write_text(config.read_text("utf-8").replace("\ntrain_subjects = []", "\ntrain_subjects = [1]"), "utf-8")
    left = call("-w", work, "run").stderr
    assert "train_subjects" not in left
    assert "not complete: write " in left


def test_preprocess_alone_needs_none_of_it(work: Path) -> None:
    result = call("-w", work, "run", "--until", "preprocess")
    assert result.exit_code == 0, result.output
    assert (work / "skeletons.h5").exists()
