"""Rows of arrays on disk, and files that are not what their header says."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, floating_dtypes, integer_dtypes

from data.errors import DataError
from data.published.array_rows import ArrayRows, npy_rows, npz_rows


def stream_of(array: np.ndarray) -> tuple[io.BytesIO, int]:
    stream = io.BytesIO()
    np.save(stream, array)
    return io.BytesIO(stream.getvalue()), len(stream.getvalue())


@given(
    array=arrays(floating_dtypes() | integer_dtypes(), array_shapes(min_dims=1, max_dims=4, max_side=5)),
    rows=st.integers(1, 6),
)
@settings(deadline=None)
def test_the_blocks_together_are_the_array(array: np.ndarray, rows: int) -> None:
    array_rows = ArrayRows(*stream_of(np.ascontiguousarray(array)), "made")
    assert (len(array_rows), array_rows.shape) == (len(array), array.shape)
    np.testing.assert_array_equal(np.concatenate(list(array_rows.blocks(rows))), array)


def test_rows_can_be_read_in_any_order(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(7, 3, 2))
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array)
    with npy_rows(tmp_path / "a.npy") as npy, npz_rows(tmp_path / "a.npz", "x") as npz:
        for start in (5, 0, 3, 6, 1):
            for rows in (npy, npz):
                np.testing.assert_array_equal(rows.read(start, start + 1), array[start : start + 1])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_files_are_read_or_refused(data: st.DataObject) -> None:
    stream, size = stream_of(np.arange(60, dtype=np.float32).reshape(5, 3, 4))
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, size))])
    for mutated in (bytes(content), cut):
        try:
            rows = ArrayRows(io.BytesIO(mutated), len(mutated), "made")
            read = sum(block.size for block in rows.blocks(2))
        except DataError:
            pass
        else:
            assert read == np.prod(rows.shape)


def test_a_shape_larger_than_the_file_is_refused_before_memory_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    np.save(path, np.zeros((5, 3), np.float32))
    path.write_bytes(
        path.read_bytes().replace(b"(5, 3)", b"(5" + b"0" * 12 + b", 3)").replace(b" " * 12 + b"\n", b"\n")
    )
    with pytest.raises(DataError, match=r"huge\.npy: .*the file has 60"), npy_rows(path):
        pass


def test_archives_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="no such file"), npz_rows(path, "x"):
        pass
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"a\.npz: not a whole"), npz_rows(path, "x"):
        pass
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(DataError, match=r"a\.npz, x: not a \.npy array"), npz_rows(path, "x"):
        pass
    np.savez(path, x=np.array(["text"]))
    with pytest.raises(DataError, match="numbers"), npz_rows(path, "x"):
        pass
