"""Outputs of a finished workspace are damaged, cut short or edited. The program reports it and never uses them."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.errors import DataError
from data.stores import h5
from pipeline.cli.main import main
from pipeline.workspace.tensor_store import require_as_written
from tests.conftest import TinyRun

READ_BY = {  # output -> a command that reads it
    "skeletons.h5": "extract",
    "features/test.h5": "train",
    "text.h5": "train",
    "runs/default/model.safetensors": "evaluate",
}


def invoke(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["-w", str(workspace), *arguments])


@pytest.fixture
def workspace(tiny_run: TinyRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.root, tmp_path / "work", symlinks=True))


def require_message(result: Result, path: Path) -> None:
    """The command ended with one paragraph that names the file, and without a traceback."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert f"Error: {path}" in result.output, result.output


@pytest.mark.parametrize(("output", "command"), READ_BY.items())
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_an_output_that_was_cut_short_is_reported(workspace: Path, output: str, command: str, share: float) -> None:
    path = workspace / output
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    require_message(invoke(workspace, command, "--force"), path)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("output", READ_BY)
def test_a_flipped_bit_is_reported_or_changes_nothing(
    tiny_run: TinyRun, tmp_path: Path, output: str, seed: int
) -> None:
    path = tmp_path / Path(output).name
    content = bytearray((tiny_run.root / output).read_bytes())
    place = np.random.default_rng(seed).integers(len(content) * 8)
    content[place // 8] ^= 1 << (place % 8)
    path.write_bytes(content)
    try:
        if path.suffix == ".h5":
            with h5.reading(path) as file:
                h5.require_as_written(file)
                after = all_arrays(path)
        else:
            require_as_written(path)
            return  # the tensors still have their fingerprint
    except DataError:
        return
    before = all_arrays(tiny_run.root / output)
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in after)


def all_arrays(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def test_an_edited_number_is_reported_although_the_file_is_whole(workspace: Path) -> None:
    path = workspace / "features" / "test.h5"
    with h5py.File(path, "r+") as file:
        file["features"][0, 0] += 1
    result = invoke(workspace, "train", "--force")
    require_message(result, path)
    assert "not those that were written" in result.output


def test_edited_results_are_not_up_to_date(workspace: Path) -> None:
    path = workspace / "runs" / "default" / "results.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"top1": ', '"top1": 9', 1), "utf-8")
    assert path.read_text("utf-8") != text
    assert invoke(workspace, "status", "--quiet").exit_code == 1
    assert "evaluate" in invoke(workspace, "run", "--dry-run").output
