"""Commands that a message names can be typed as they are: with the workspace, run and settings file of the user."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main
from pipeline.messages.hints import WITH_RUN, WITHOUT_CONFIG, WITHOUT_WORKSPACE, complete_commands, working_in


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "my work"
    assert call("-w", folder, "init", "ntu60-synse-55-5").exit_code == 0
    return folder


def hinted(result: Result) -> list[list[str]]:
    """The commands that the message of a failed command names, split as a shell splits them."""
    assert result.exit_code == 1
    return [shlex.split(command) for command in re.findall(r"`(fsvae-pipe [^`]*)`", result.stderr)]


def test_a_command_in_a_message_has_the_workspace_that_was_given(work: Path) -> None:
    commands = [["fsvae-pipe", "-w", str(work), command] for command in ("preprocess", "import")]
    assert hinted(call("-w", work, "extract")) == commands
    assert hinted(call("extract", "-w", work)) == commands


def test_a_workspace_from_the_environment_needs_no_option(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSVAE_WORKSPACE", str(work))
    assert hinted(call("extract")) == [["fsvae-pipe", "preprocess"], ["fsvae-pipe", "import"]]


def test_the_run_and_the_settings_file_come_along(work: Path, tmp_path: Path) -> None:
    settings = tmp_path / "other.toml"
    settings.write_text((work / "config.toml").read_text("utf-8"))
    commands = hinted(call("-w", work, "evaluate", "--run", "wider", "--config", settings))
    assert commands == [["fsvae-pipe", "-w", str(work), "train", "--run", "wider", "--config", str(settings)]]


def test_reasons_of_status_are_completed_too(work: Path) -> None:
    (work / "skeletons.h5").write_bytes(b"no HDF5")
    assert f"`fsvae-pipe -w {shlex.quote(str(work))} run`" in call("-w", work, "status").stdout


def test_a_complete_command_stays_as_it_is(work: Path) -> None:
    with click.Context(main) as context:
        context.meta["fsvae-pipe.workspace"] = work
        for whole in ("`fsvae-pipe -w elsewhere run`", "`fsvae-pipe init --help`", "`fsvae-pipe demo --folder DIR`"):
            assert complete_commands(whole) == whole
    assert complete_commands("`fsvae-pipe run`\n") == "`fsvae-pipe run`\\n"


def test_a_part_of_a_study_is_named_in_place_of_the_study(work: Path) -> None:
    with click.Context(main) as context:
        context.meta["fsvae-pipe.workspace"] = work
        with working_in(work / "part"):
            assert complete_commands("`fsvae-pipe train`") == f"`fsvae-pipe -w '{work / 'part'}' train`"
        assert complete_commands("`fsvae-pipe train`") == f"`fsvae-pipe -w '{work}' train`"
    with working_in(work):
        assert complete_commands("`fsvae-pipe train`") == "`fsvae-pipe train`"


def test_each_command_takes_the_options_that_are_added() -> None:
    for name, command in main.commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--workspace" in options
        assert ("--config" in options) == (name not in WITHOUT_CONFIG), name
        assert ("--run" in options) == (name in WITH_RUN), name
    assert set(WITHOUT_WORKSPACE) <= set(main.commands)


def test_the_workspace_may_stand_on_either_side_of_the_command_and_the_later_one_wins(
    work: Path, tmp_path: Path
) -> None:
    before = call("-w", work, "status")
    assert before.exit_code == 0
    assert call("status", "-w", work).stdout == before.stdout
    assert call("-w", tmp_path / "none", "status", "--workspace", work).stdout == before.stdout
    assert call("-w", work, "status", "-w", tmp_path / "none").exit_code == 1
    assert call("init", "-w", tmp_path / "new", "custom").exit_code == 0
    assert (tmp_path / "new" / "config.toml").is_file()
    report = call("report", "-w", work)
    assert str(work / "runs" / "default") in report.stderr
