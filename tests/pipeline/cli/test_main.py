"""The commands as a user calls them: exit codes, messages, and files on disk."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner, Result

from data.stores.files import FORMAT_VERSION
from pipeline.cli.main import main
from pipeline.messages.errors import printable
from tests.conftest import TinyRun


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("command", ["--help", "status"])
def test_help_and_status_load_no_torch(work: Path, command: str) -> None:
    code = f"""
import sys
from pipeline.cli.main import main
try:
    main(["-w", {str(work)!r}, {command!r}])
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = {{"torch", "transformers", "sentence_transformers", "sklearn", "pandas"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "preprocess" in done.stdout


def test_every_command_has_help_that_ends_in_a_full_stop() -> None:
    for name, command in main.commands.items():
        shown = call(name, "--help")
        assert shown.exit_code == 0, name
        first = (command.help or "").strip().splitlines()[0]
        assert first.endswith((".", ":")), f"{name}: {first}"


def test_init_does_not_write_over_a_config(work: Path) -> None:
    result = call("-w", work, "init", "custom")
    assert result.exit_code == 1
    assert "--force" in result.stderr


def test_a_command_without_a_workspace_points_to_init(tmp_path: Path) -> None:
    for command in ("run", "status", "preprocess", "evaluate"):
        result = call("-w", tmp_path / "none", command)
        assert result.exit_code == 1
        assert "init SPLIT" in result.stderr
    assert files(tmp_path) == set()


def test_no_raw_files_says_where_to_name_them(work: Path) -> None:
    result = call("-w", work, "run")
    assert result.exit_code == 1
    assert "dataset.raw is empty" in result.stderr
    assert files(work) == {"config.toml"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "train.alhpa=1"], 2),
        (["--set", "train.alpha"], 2),
        (["--run", "../elsewhere"], 2),
        (["--run", ".hidden"], 2),
        (["--run", ""], 2),
        (["--run", "two\nlines"], 2),
        (["--config", "missing.toml"], 2),
        (["--nonsense"], 2),
    ],
)
def test_wrong_usage_and_wrong_settings(work: Path, arguments: list[str], code: int) -> None:
    assert call("-w", work, "status", *arguments).exit_code == code


def test_wrong_arguments_are_wrong_usage(work: Path) -> None:
    before = (work / "config.toml").read_text("utf-8")
    for arguments in (
        ["init", "ntu60", "--force"],
        ["run", "--from", "train", "--until", "extract"],
        ["sweep", "no-such-grid"],
        ["status", "--config", "no-such.toml"],
    ):
        result = call("-w", work, *arguments)
        assert result.exit_code == 2, arguments
        assert "Traceback" not in result.stderr
    assert (work / "config.toml").read_text("utf-8") == before


def test_an_unknown_key_in_the_file_is_named(work: Path) -> None:
    config = work / "config.toml"
    config.write_text("colour = 1\n" + config.read_text())
    result = call("-w", work, "status")
    assert result.exit_code == 1
    assert "unknown key colour" in result.stderr


def test_a_stage_before_its_inputs_names_the_command_that_makes_them(work: Path) -> None:
    for command, earlier in (("extract", "preprocess"), ("train", "extract"), ("evaluate", "train")):
        result = call("-w", work, command)
        assert result.exit_code == 1
        assert f"`fsvae-pipe -w {work} {earlier}` makes it" in result.stderr
    assert files(work) == {"config.toml"}


def test_status_has_a_form_for_people_machines_and_scripts(work: Path) -> None:
    assert "preprocess  missing  no skeletons.h5" in call("-w", work, "status").stdout
    states = json.loads(call("-w", work, "status", "--json").stdout)
    assert [state["stage"] for state in states] == ["preprocess", "extract", "embed-text", "train", "evaluate"]
    assert states[1]["state"] == "missing"
    quiet = call("-w", work, "status", "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (1, "")


def test_a_workspace_of_a_newer_program_is_left_alone(work: Path) -> None:
    with h5py.File(work / "skeletons.h5", "w") as file:
        file.attrs["format_version"] = FORMAT_VERSION + 1
    before = (work / "skeletons.h5").read_bytes()
    for command in ("status", "run", "preprocess", "extract"):
        result = call("-w", work, command)
        assert result.exit_code == 1
        assert "upgrade fsvae-pipe" in result.stderr
    assert (work / "skeletons.h5").read_bytes() == before


def test_two_commands_do_not_write_in_one_workspace(work: Path) -> None:
    code = f"""
from filelock import FileLock
with FileLock({str(work / ".lock")!r}):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        result = call("-w", work, "run")
        status = call("-w", work, "status")
        holder.kill()
    assert result.exit_code == 1
    assert "another fsvae-pipe command" in result.stderr
    assert status.exit_code == 0
    assert "dataset.raw is empty" in call("-w", work, "run").stderr  # a lock whose owner died is free


def test_a_dry_run_runs_nothing(work: Path) -> None:
    result = call("-w", work, "run", "--dry-run", "--until", "extract")
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["preprocess", "extract"]
    assert files(work) == {"config.toml"}


def test_messages_show_control_characters_escaped() -> None:
    assert printable("a\x1b[31mé\nb\r") == "a\\x1b[31mé\\nb\\r"


def test_running_out_of_memory_names_what_to_lower(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage_states(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 40 bytes")

    monkeypatch.setattr("pipeline.cli.stage_commands.stage_states", stage_states)
    result = call("-w", work, "status")
    assert result.exit_code == 1
    assert "memory ran out" in result.stderr
    assert "backbone.batch_size" in result.stderr


def test_run_names_the_part_of_the_stages_that_is_up_to_date(tiny_run: TinyRun) -> None:
    assert "nothing to do: every stage is up to date" in call("-w", tiny_run.root, "run").stdout
    shown = call("-w", tiny_run.root, "run", "--from", "train", "--set", "text.encoder=clip", "--dry-run")
    assert "nothing to do: train to evaluate are up to date" in shown.stdout
    assert "warning: embed-text is stale (text.encoder changed" in shown.stderr


def test_a_broken_input_is_reported_once(tiny_run: TinyRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_run.root, tmp_path / "copy", symlinks=True))
    with (copy / "descriptions.csv").open("a") as file:
        file.write('A001,"broken')
    result = call("-w", copy, "run")
    assert result.exit_code == 1
    assert "embed-text: stale\nError: " in result.stderr
    assert result.stderr.count("not valid CSV") == 1
    assert "not valid CSV" in call("-w", copy, "status").stdout


def test_a_named_split_takes_no_other_name(tmp_path: Path) -> None:
    result = call("-w", tmp_path, "init", "ntu60-synse-55-5", "--name", "kitchen")
    assert result.exit_code == 2
    assert "--name kitchen is for SPLIT custom" in result.stderr


def test_an_evaluate_that_is_up_to_date_shows_the_table_again(tiny_run: TinyRun) -> None:
    shown = call("-w", tiny_run.root, "evaluate").stdout
    assert "evaluate: up to date" in shown
    assert "ZSL top-1" in shown
