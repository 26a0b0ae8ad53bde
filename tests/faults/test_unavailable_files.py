"""A file that the system will not let us read is not called broken, nor is its deletion advised, nor is it made anew.

The tests take its permission away in a process of another user, since nothing is forbidden to root.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from data.errors import DataError, UnavailableFileError, is_away
from data.stores import h5
from models.backbone.checkpoint import read_checkpoint
from pipeline.stages.member import load_member
from pipeline.workspace.tensor_store import read_tensor_record, read_tensors, require_as_written, write_tensors

NOBODY = 65534
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@contextmanager
def forbidden(path: Path) -> Iterator[None]:
    """Nobody may read `path`, and this process is nobody."""
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)
        path.chmod(0o644)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that every user may enter."""
    for parent in (tmp_path, *tmp_path.parents[:3]):
        if not parent.stat().st_mode & stat.S_ISVTX:  # the system's folder for such files, which stays as it is
            parent.chmod(0o755)
    return tmp_path


def test_weights_that_may_not_be_read_are_not_called_broken(folder: Path) -> None:
    path = folder / "model.safetensors"
    write_tensors(path, {"weight": torch.zeros(3)}, {"stage": "train"})
    with forbidden(path):
        for read in (read_tensor_record, read_tensors, require_as_written):
            with pytest.raises(UnavailableFileError, match=r"can't be read now .*Permission denied.*permissions") as no:
                read(path)
            assert "delete" not in str(no.value)
            assert "not a whole" not in str(no.value)
        with pytest.raises(UnavailableFileError):
            load_member(path, 5, "test", 1, "digest")
        with pytest.raises(PermissionError):
            read_checkpoint(path)
    assert read_tensor_record(path)["stage"] == "train"


def test_a_checkpoint_that_may_not_be_read_is_not_called_broken(folder: Path) -> None:
    path = folder / "weights.pt"
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    with forbidden(path), pytest.raises(PermissionError):
        read_checkpoint(path)


def test_a_store_that_may_not_be_read_is_not_called_broken(folder: Path) -> None:
    path = folder / "features.h5"
    with h5.writing(path, {"stage": "test"}) as file:
        file["x"] = np.zeros(3)
    with forbidden(path), pytest.raises(UnavailableFileError, match="can't be read now") as no:
        h5.read_record(path)
    assert "delete" not in str(no.value)


def test_a_disk_that_fails_in_the_middle_of_a_store_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "features.h5"
    with h5.writing(path, {"stage": "test"}) as file:
        file["x"] = np.zeros(3)
    said = f"Can't synchronously read data (errno = {errno.EIO}, error message = 'Input/output error')"
    for kind in (OSError, KeyError, RuntimeError):

        def fail(*_: object, kind: type[Exception] = kind) -> None:
            raise kind(said)

        with monkeypatch.context() as patch, h5.reading(path) as file:
            patch.setattr(h5py.Dataset, "__getitem__", fail)
            with pytest.raises(UnavailableFileError, match="can't be read now"):
                h5.read_array(file, "x")


def test_what_is_not_there_or_cut_is_another_matter(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(DataError) as no:
        read_tensor_record(path)
    assert not isinstance(no.value, UnavailableFileError)
    path.write_bytes(b"short")
    with pytest.raises(DataError, match=r"not a whole safetensors file.*delete it"):
        read_tensor_record(path)
    assert load_member(path, 5, "test", 1, "digest") is None
    assert not is_away(ValueError("a value"))
