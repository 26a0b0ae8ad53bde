"""Files are replaced whole or not at all, and get the permissions that the user's umask sets."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from data.stores import h5
from data.stores.files import replacing, sha256_of
from pipeline.workspace.tensor_store import write_tensors


@pytest.fixture
def group_may_read() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("group_may_read")
def test_every_kind_of_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    write_tensors(tmp_path / "w.safetensors", {"x": torch.ones(2)}, {})
    with h5.writing(tmp_path / "x.h5", {}) as file:
        file["x"] = [1]
    with replacing(tmp_path / "x.csv") as partial:
        partial.write_text("a,b")
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        "w.safetensors": "0o640", "x.h5": "0o640", "x.csv": "0o640",
    }  # fmt: skip


def fail_half_way(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("half of the new")
        raise KeyError


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(KeyError):
        fail_half_way(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]
    assert path.read_text() == "old"


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(range(256)) * 5000)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
