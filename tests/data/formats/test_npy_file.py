"""Arrays from others: which are loaded, and which are refused before they do harm."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.formats.npy_file import load_labels, load_matrix


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i4", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_numbers_become_a_matrix(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.array(np.arange(12).reshape(3, 4) % 2, dtype=dtype, order=order)  # type: ignore[call-overload]
    matrix = load_matrix(saved(tmp_path / "a.npy", array))
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, array.astype(np.float32))


@pytest.mark.parametrize("array", [np.array([3, 0, 7]), np.array([3.0, 0, 7]), np.array([[3], [0], [7]], np.uint8)])
def test_labels_are_class_indices(tmp_path: Path, array: np.ndarray) -> None:
    assert load_labels(saved(tmp_path / "a.npy", array)).tolist() == [3, 0, 7]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.array([["a"]]), "numbers"),
        (np.array([[None]]), "numbers"),
        (np.array([[1.0, np.nan]]), "row 0"),
        (np.array([[1.0], [1e300]]), "row 1"),
    ],
)
def test_arrays_that_are_not_a_matrix_are_refused(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    with pytest.raises(DataError, match=rf"a\.npy.*{reason}"):
        load_matrix(saved(tmp_path / "a.npy", array))


@pytest.mark.parametrize("array", [np.array([-1]), np.array([0.5]), np.array([np.nan]), np.zeros((2, 2)), np.array([])])
def test_arrays_that_are_not_labels_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"a\.npy.*expected"):
        load_labels(saved(tmp_path / "a.npy", array))


def test_an_archive_is_not_read_as_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"not a \.npy array"):
        load_matrix((tmp_path / "a.npz").rename(tmp_path / "a.npy"))


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_mutated_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = saved(tmp_path_factory.getbasetemp() / "m.npy", np.ones((4, 3), np.float32))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        matrix = load_matrix(path)
    except DataError:
        return
    assert matrix.shape[1:] == matrix[0].shape


@pytest.mark.parametrize(("version", "width"), [(1, 2), (2, 4), (3, 4)])
def test_headers_of_every_version_and_of_python_2_are_read(tmp_path: Path, version: int, width: int) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n"
    start = b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(width, "little")
    (tmp_path / "a.npy").write_bytes(start + header + np.arange(6, dtype="<f4").tobytes())
    assert load_matrix(tmp_path / "a.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}",
        b"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
        b"{'descr': '<f3', 'fortran_order': False, 'shape': (2, 3)}",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}",
        b"{'descr': '<f4', 'shape': (2, 3)}",
        b"__import__('os').getcwd()",
        b"[" * 5000,
        b"\xff\x00",
        b"{[]: 1}",
    ],
)
def test_invalid_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (tmp_path / "a.npy").write_bytes(start + header + bytes(24))
    with pytest.raises(DataError, match=r"a\.npy"):
        load_matrix(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [f"(0, {1 << 70})", f"(0, {1 << 40}, {1 << 40})", f"({'0, ' * 70})"])
def test_impossible_shapes_are_refused(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match=r"a\.npy: not a \.npy array"):
        load_matrix(tmp_path / "a.npy")


def test_a_header_as_long_as_the_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (1 << 26).to_bytes(4, "little"))
        file.truncate(1 << 26)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"a\.npy: not a \.npy array"):
            load_matrix(tmp_path / "a.npy")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
