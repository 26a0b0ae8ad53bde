"""`run` refuses a config.toml that is not filled in before the first stage runs for hours."""

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


def test_run_names_every_empty_setting_and_runs_nothing(work: Path) -> None:
    result = call("-w", work, "run")
    assert result.exit_code == 1
    for part in ("unseen = [", "train_subjects = [", f"write {work / 'descriptions.csv'}", "nothing was run"):
        assert part in result.stderr
    assert " raw = [" not in result.stderr
    assert f"`fsvae-pipe -w {work} texts --init`" in result.stderr
    assert not (work / "skeletons.h5").exists()


def test_an_empty_raw_is_named_with_the_others(tmp_path: Path) -> None:
    begun = call("-w", tmp_path, "init", "custom")
    assert begun.exit_code == 0
    assert "fill in [dataset] (raw, train_subjects, unseen),\n" in begun.stdout
    assert f"then: fsvae-pipe -w {tmp_path} texts --init, " in begun.stdout
    again = call("-w", tmp_path, "init", "custom", "--force", "--raw", tmp_path)
    assert "fill in [dataset] (train_subjects, unseen),\n" in again.stdout
    call("-w", tmp_path, "init", "custom", "--force")
    assert "fill in raw = [...] (" in call("-w", tmp_path, "run").stderr


def test_a_setting_that_was_filled_in_is_not_named_any_more(work: Path) -> None:
    config = work / "config.toml"
    config.write_text(config.read_text("utf-8").replace("\nunseen = []", '\nunseen = ["A001"]'), "utf-8")
    assert "unseen = [" not in call("-w", work, "run").stderr
    config.write_text(config.read_text("utf-8").replace("\ntrain_subjects = []", "\ntrain_subjects = [1]"), "utf-8")
    message = call("-w", work, "run").stderr
    assert "train_subjects" not in message
    assert "not complete: write " in message


def test_preprocess_alone_needs_none_of_these_settings(work: Path) -> None:
    result = call("-w", work, "run", "--until", "preprocess")
    assert result.exit_code == 0, result.output
    assert (work / "skeletons.h5").exists()
