"""Names and labels are read from pickles that may contain anything."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.formats.label_pickle import read_label_pickle


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@given(
    labels=st.lists(st.integers(0, 2**70), max_size=50),
    fill=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
@settings(max_examples=30, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, protocol: int, labels: list[int], fill: str) -> None:
    names = [f"{fill}{index % 7}" for index in range(len(labels))]  # repeated strings come from the memo
    path = tmp_path_factory.getbasetemp() / "label.pkl"
    for pair in ((names, labels), [names, labels], (tuple(names), tuple(labels))):
        assert read_label_pickle(write(path, pickle.dumps(pair, protocol))) == (names, labels)


def test_python_2_files_are_read(tmp_path: Path) -> None:
    content = b"((lp0\nS'S001C001P001R001A001.skeleton'\np1\naS'b'\na(lp2\nI0\naI12\natp3\n."
    assert read_label_pickle(write(tmp_path / "p.pkl", content)) == (["S001C001P001R001A001.skeleton", "b"], [0, 12])


class Harm:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_in_a_pickle_is_run(tmp_path: Path, protocol: int) -> None:
    harmed = tmp_path / "harmed"
    content = pickle.dumps((["a"], [Harm(harmed)]), protocol)
    path = write(tmp_path / "label.pkl", content)
    with pytest.raises(DataError, match=r"GLOBAL.* is refused"):
        read_label_pickle(path)
    assert not harmed.exists()
    pickle.loads(content)
    assert harmed.exists()  # so unpickling the file does harm


@pytest.mark.parametrize(
    "value",
    [
        (["a"], np.array([1])),
        (["a"], [np.int64(1)]),
        (["a"], {1: 2}),
        (["a"], [1.0]),
        (["a"], [True]),
        (["a", "b"], [1]),
        (["a"], [1], [2]),
        (["a"], ["1"]),
        ([1], [1]),
        "text",
        None,
    ],
)
def test_other_contents_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError, match=r"label\.pkl"):
        read_label_pickle(write(tmp_path / "label.pkl", pickle.dumps(value)))


def test_a_huge_memo_costs_nothing(tmp_path: Path) -> None:
    content = b"\x80\x02]q\x00r\xff\xff\xff\x7f."  # memo key 2**31 - 1: `pickle` allocates as many
    with pytest.raises(DataError, match="does not hold a pair"):
        read_label_pickle(write(tmp_path / "label.pkl", content))


WHOLE = pickle.dumps(([f"S001C001P001R001A{a:03d}.skeleton" for a in range(1, 9)], list(range(8))))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_pickles_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for mutated in (bytes(content), bytes(content[:cut])):
        try:
            names, labels = read_label_pickle(write(tmp_path_factory.getbasetemp() / "m.pkl", mutated))
        except DataError:
            continue
        assert len(names) == len(labels)


@given(content=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    with pytest.raises(DataError):
        read_label_pickle(write(tmp_path_factory.getbasetemp() / "any.pkl", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pkl: no such file"):
        read_label_pickle(tmp_path / "none.pkl")
