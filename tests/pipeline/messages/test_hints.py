"""Commands that messages name work as they stand: with the workspace, the run and the settings file of the user."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main
from pipeline.messages.hints import WITH_RUN, WITHOUT_CONFIG, WITHOUT_WORKSPACE, told


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "my work"
    assert call("-w", folder, "init", "ntu60-synse-55-5").exit_code == 0
    return folder


def hinted(result: Result) -> list[list[str]]:
    """The commands that a failed command's message names, as a shell would take them apart."""
    assert result.exit_code == 1
    return [shlex.split(command) for command in re.findall(r"`(fsvae-pipe [^`]*)`", result.stderr)]


def test_a_command_in_a_message_has_the_workspace_that_was_given(work: Path) -> None:
    bring = ["fsvae-pipe", "-w", str(work), "import"]
    assert hinted(call("-w", work, "extract")) == [["fsvae-pipe", "-w", str(work), "preprocess"], bring]
    assert hinted(call("extract", "-w", work)) == [["fsvae-pipe", "-w", str(work), "preprocess"], bring]


def test_a_workspace_that_the_environment_names_needs_no_word(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSVAE_WORKSPACE", str(work))
    assert hinted(call("extract")) == [["fsvae-pipe", "preprocess"], ["fsvae-pipe", "import"]]


def test_the_run_and_the_settings_file_come_along(work: Path, tmp_path: Path) -> None:
    settings = tmp_path / "other.toml"
    settings.write_text((work / "config.toml").read_text("utf-8"))
    found = hinted(call("-w", work, "evaluate", "--run", "wider", "--config", settings))
    assert found == [["fsvae-pipe", "-w", str(work), "train", "--run", "wider", "--config", str(settings)]]


def test_reasons_of_status_are_completed_too(work: Path) -> None:
    (work / "skeletons.h5").write_bytes(b"no HDF5")
    assert f"`fsvae-pipe -w {shlex.quote(str(work))} run`" in call("-w", work, "status").stdout


def test_a_hint_that_is_whole_stays(work: Path) -> None:
    with click.Context(main) as context:
        context.meta["fsvae-pipe.workspace"] = work
        for whole in ("`fsvae-pipe -w elsewhere run`", "`fsvae-pipe init --help`", "`fsvae-pipe demo --folder DIR`"):
            assert told(whole) == whole
    assert told("`fsvae-pipe run`\n") == "`fsvae-pipe run`\\n"


def test_each_command_takes_what_is_put_into_its_hint() -> None:
    for name, command in main.commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--workspace" in options
        assert ("--config" in options) == (name not in WITHOUT_CONFIG), name
        assert ("--run" in options) == (name in WITH_RUN), name
    assert set(WITHOUT_WORKSPACE) <= set(main.commands)


def test_the_workspace_may_stand_on_either_side_and_the_nearer_one_holds(work: Path, tmp_path: Path) -> None:
    before = call("-w", work, "status")
    assert before.exit_code == 0
    assert call("status", "-w", work).stdout == before.stdout
    assert call("-w", tmp_path / "none", "status", "--workspace", work).stdout == before.stdout
    assert call("-w", work, "status", "-w", tmp_path / "none").exit_code == 1
    assert call("init", "-w", tmp_path / "new", "custom").exit_code == 0
    assert (tmp_path / "new" / "config.toml").is_file()
    report = call("report", "-w", work)
    assert str(work / "runs" / "default") in report.stderr
