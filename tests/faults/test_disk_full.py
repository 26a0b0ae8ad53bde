"""The disk is full, or a folder can't be written in. A message names the file, and everything stays as it was.

A limit on the size of files stands for a full disk. A write then fails in the middle, or only when the file is closed.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data.errors import DataError
from data.stores import h5
from data.stores.files import replacing
from pipeline.cli.main import main
from tests.conftest import TinyRun


@contextmanager
def room_for(num_bytes: int) -> Iterator[None]:
    """Let no file grow beyond `num_bytes`. A write then fails with EFBIG, since Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def invoke(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["-w", str(workspace), *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def workspace(tiny_run: TinyRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))


@pytest.mark.parametrize("num_bytes", [100, 3000, 200_000])
def test_the_real_command_ends_with_a_message_and_not_in_hdf5(workspace: Path, num_bytes: int) -> None:
    before = contents(workspace)
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace), "preprocess", "--force"]
    quiet = {
        name: value for name, value in os.environ.items() if not name.startswith("COV")
    }  # coverage writes files too
    with room_for(num_bytes):
        done = subprocess.run(command, capture_output=True, text=True, env=quiet)
    assert done.returncode == 1, done.stderr
    error = done.stderr.strip().splitlines()[-1]
    files = ("skeletons.h5", "checks.csv", "rejects.csv") if num_bytes == 100 else ("skeletons.h5",)
    assert error.startswith(tuple(f"Error: {workspace}/{file}: can't be written (File too large)" for file in files))
    assert "Traceback" not in done.stderr
    assert contents(workspace) == before


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (("preprocess", "--force"), "skeletons.h5"),
        (("extract", "--set", "backbone.epochs=1"), "backbones/test.training.safetensors"),
        (("embed-text", "--force"), "text.h5"),
        (("train", "--force"), "runs/default/members/5-test.safetensors"),
        (("evaluate", "--force"), "runs/default/predictions.h5"),
        (("report",), "runs/default/report.html"),
        (("init", "custom", "--force"), "config.toml"),
    ],
)
def test_no_command_dies_of_a_full_disk(workspace: Path, arguments: tuple[str, ...], file: str) -> None:
    before = contents(workspace)
    with room_for(2000):
        done = invoke(workspace, *arguments)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    assert f"Error: {workspace / file}: can't be written (File too large)" in done.stderr
    assert contents(workspace) == before
    assert invoke(workspace, "status").stdout.endswith("every stage is up to date\n")


def test_an_export_that_finds_no_room_names_the_file(workspace: Path, tmp_path: Path) -> None:
    with room_for(2000):
        done = invoke(workspace, "export", "--features", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert ".npy: can't be written (" in done.stderr
    assert contents(tmp_path / "out") == {}


def test_the_same_command_goes_on_when_there_is_room_again(workspace: Path) -> None:
    (workspace / "text.h5").unlink()
    with room_for(2000):
        assert invoke(workspace, "run").exit_code == 1
    done = invoke(workspace, "run")
    assert done.exit_code == 0, done.output
    assert "embed-text: done" in done.stderr
    assert "train" not in done.stderr


def write_rows(path: Path, written: list[int]) -> None:
    with h5.writing(path, {}) as file:
        rows = file.create_dataset("rows", (1000, 1 << 16), "u1", chunks=(1, 1 << 16))
        for row in range(1000):
            rows[row] = 1
            h5.require_written(file)
            written.append(row)


def test_a_long_writer_learns_of_the_fault_before_it_is_done(tmp_path: Path) -> None:
    written: list[int] = []
    with room_for(100_000), pytest.raises(DataError, match="File too large"):
        write_rows(tmp_path / "a.h5", written)
    assert len(written) < 300  # HDF5 keeps some megabytes back
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_that_is_full_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "pipeline", "--help"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0


def test_a_place_that_is_no_folder_is_named(workspace: Path, tmp_path: Path) -> None:
    shutil.rmtree(workspace / "features")
    (workspace / "features").touch()
    done = invoke(workspace, "run")
    assert done.exit_code == 1
    assert f"features/test.h5: can't be written ({workspace}/features: File exists)" in done.stderr
    (tmp_path / "file").touch()
    for arguments in (("init", "custom"), ("status",), ("run",)):
        done = invoke(tmp_path / "file" / "work", *arguments)
        assert (done.exit_code, "Not a directory" in done.stderr) == (1, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_workspace_that_is_read_only_is_named_and_can_be_read(workspace: Path) -> None:
    (workspace / ".lock").unlink(missing_ok=True)
    workspace.chmod(0o500)
    try:
        assert invoke(workspace, "status").exit_code == 0
        done = invoke(workspace, "run")
    finally:
        workspace.chmod(0o700)
    assert done.exit_code == 1
    assert f"{workspace}: can't be written in (Permission denied)" in done.stderr


def test_a_workspace_that_is_taken_away_ends_the_run_with_a_message(workspace: Path) -> None:
    (workspace / "skeletons.h5").unlink()
    command = [sys.executable, "-m", "pipeline", "-w", str(workspace), "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        child.stderr.readline()  # it has begun
        shutil.rmtree(workspace)
        errors = child.stderr.read()
    assert child.returncode == 1
    assert "Error: " in errors
    assert "Traceback" not in errors
    assert {path.name for path in workspace.rglob("*")} <= {"skeletons.h5", "rejects.csv"}  # begun anew, and stopped


def test_an_error_about_another_file_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "a.txt"):
        (tmp_path / "elsewhere").read_bytes()
