"""Output and names beyond the encoding of the terminal or the locale: real processes."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main
from tests.conftest import TinyRun

END = b"-- the end of a command --"


def call(*arguments: bytes | str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


def call_in_one_process(commands: Iterable[list[str | Path]], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run commands one after another: importing torch takes longer than each. END follows each one's output."""
    every = [[str(part) for part in command] for command in commands]
    code = f"""from pipeline.cli.main import main
for command in {every!a}:
    main(command, standalone_mode=False)
    print({END.decode()!r}, flush=True)"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, env={**os.environ, **environment})


def test_a_path_beyond_the_output_s_encoding_is_escaped(tmp_path: Path) -> None:
    done = call("-w", tmp_path / "吃饭", "init", "ntu60-synse-55-5", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\\u5403" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(raw)).mkdir()
    done = call("-w", tmp_path / "work", "init", "ntu60-synse-55-5", "--raw", raw)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"not UTF-8" in b" ".join(done.stderr.split())
    assert not (tmp_path / "work" / "config.toml").exists()


CP1252 = {"PYTHONIOENCODING": "cp1252"}
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture
def foreign(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """The tiny workspace, with labels that neither cp1252 nor ASCII can write."""
    root = Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))
    path = root / "descriptions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] += " 人"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return root


@pytest.mark.slow
def test_labels_beyond_the_encoding_are_shown_escaped_and_written_as_they_are(foreign: Path, tmp_path: Path) -> None:
    page, gif = tmp_path / "shown.html", tmp_path / "shown.gif"
    in_c: list[list[str | Path]] = [["run"], ["texts", "--json"], ["show", "A001", "-o", gif], ["report"]]
    in_cp1252: list[list[str | Path]] = [["texts"], ["evaluate", "--force"], ["show", "A001", "-o", page]]
    for environment, commands in ((C_LOCALE, in_c), (CP1252, in_cp1252)):
        done = call_in_one_process([["-w", foreign, *command] for command in commands], **environment)
        assert done.returncode == 0, (commands, done.stderr)
        assert b"Traceback" not in done.stderr
        outputs = done.stdout.split(END)
        assert len(outputs) == len(commands) + 1
        if commands[0] == ["texts"]:
            assert b"\\u4eba" in outputs[0]
    for written in (page, foreign / "runs" / "default" / "report.html"):
        assert "人" in written.read_text("utf-8")


def test_the_settings_of_a_run_find_what_those_of_the_workspace_find(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    run = tiny_run.root / "runs" / "default"
    clip = next((tiny_run.root / "raw" / "setup1").glob("*R001*")).stem
    page = str(tmp_path / "page.html")
    for folder, workspace, config in ((tiny_run.root, ".", "runs/default/config.toml"), (run, "../..", "config.toml")):
        monkeypatch.chdir(folder)
        assert said("-w", workspace, "status", "--config", config) == said("-w", workspace, "status")
        assert "nothing to do" in said("-w", workspace, "run", "--dry-run", "--config", config)
        assert "25 actions, no problem found" in said("-w", workspace, "texts", "--config", config)
        assert page in said("-w", workspace, "show", clip, "--from-raw", "-o", page, "--config", config)
