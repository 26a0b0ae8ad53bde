"""Which clips train, by numbers in their names (NTU) or by lists of videos (PKU-MMD)."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.protocol_list import read_protocol_list
from data.protocols import list_name, training_clips
from data.settings import DatasetSettings
from data.splits import CUSTOM

VIEWS = ("L", "M", "R")
BY_VIDEO = [[f"{video:04d}-{view}" for video in videos for view in VIEWS] for videos in ((2, 3, 364), (4, 7))]
BY_VIEW = [[f"{video:04d}-{view}" for video in (2, 3, 4, 7, 364) for view in views] for views in ("MR", "L")]


def settings(**keys: Any) -> DatasetSettings:
    return DatasetSettings(**keys)


def clips_of(setups: range, cameras: range, subjects: range) -> tuple[Any, Any, Any]:
    """Returns setup, camera and subject of clips, one clip for each combination."""
    grid = np.meshgrid(setups, cameras, subjects, indexing="ij")
    return grid[0].ravel(), grid[1].ravel(), grid[2].ravel()


@pytest.mark.parametrize(
    ("name", "protocol", "column", "trains", "number"),
    [
        ("ntu60", "xsub", 2, {1, 2, 4, 5, 8, 9, 13, 38}, 20),
        ("ntu60", "xview", 1, {2, 3}, 2),
        ("ntu120", "xsub", 2, {1, 38, 45, 103}, 53),
        ("ntu120", "xset", 0, set(range(2, 33, 2)), 16),
    ],
)
def test_official_protocols(name: str, protocol: str, column: int, trains: set[int], number: int) -> None:
    columns = clips_of(range(1, 33), range(1, 4), range(1, 107))
    train = training_clips(settings(name=name, protocol=protocol), *columns)
    training, test = set(columns[column][train].tolist()), set(columns[column][~train].tolist())
    assert trains <= training
    assert len(training) == number
    assert not training & test


@pytest.mark.parametrize(("key", "column"), [("train_setups", 0), ("train_cameras", 1), ("train_subjects", 2)])
def test_a_custom_protocol_trains_on_its_list(key: str, column: int) -> None:
    columns = clips_of(range(1, 4), range(1, 4), range(1, 4))
    train = training_clips(settings(name="mine", protocol=CUSTOM, **{key: [1, 3]}), *columns)
    assert np.array_equal(train, np.isin(columns[column], [1, 3]))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"protocol": "xset"}, '"xset" is not defined for dataset.name = "ntu60"; use xsub or xview or custom'),
        ({"name": "ntu120", "protocol": "xview"}, '"xview" is not defined for dataset.name = "ntu120"'),
        ({"name": "mine"}, '"xsub" is not defined for dataset.name = "mine"; use custom'),
        ({"protocol": CUSTOM}, "needs exactly one of train_subjects, train_cameras, train_setups; found 0"),
        ({"protocol": CUSTOM, "train_subjects": [1], "train_setups": [1]}, "exactly one of"),
        (
            {"protocol": CUSTOM, "train_subjects": [1, 7]},
            "dataset.train_subjects names 7, but the clips have only subjects 1, 2, 3",
        ),
        ({"train_subjects": [1]}, 'dataset.train_subjects is only for protocol = "custom"'),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused_with_the_reason(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError) as refused:
        training_clips(settings(**keys), *clips_of(range(1, 3), range(1, 3), range(1, 4)))
    assert reason in str(refused.value)


@pytest.mark.parametrize(("subjects", "part"), [(range(1, 3), "test"), (range(6, 8), "training")])
def test_a_part_without_clips_is_an_error_that_names_the_part(subjects: range, part: str) -> None:
    with pytest.raises(DataError, match=rf"leaves 0 of 2 clips in its {part} part .*found: subjects \[") as refused:
        training_clips(settings(), *clips_of(range(1, 2), range(1, 2), subjects))
    assert str(list(subjects)) in str(refused.value)


def test_one_subject_alone_is_told_how_else_clips_are_divided() -> None:
    said = r"\(training: train_subjects = \[1\]; .* divided by train_setups or train_cameras"
    with pytest.raises(DataError, match=said):
        training_clips(settings(protocol=CUSTOM, train_subjects=[1]), *clips_of(range(1, 2), range(1, 2), range(1, 2)))


def write_list(path: Path, training: list[str], validation: list[str]) -> Path:
    """A list as it comes with PKU-MMD, with its misspelled second header."""
    path.write_text(f"Training videos: \n{', '.join(training)}\nValidataion videos: \n{', '.join(validation)}\n")
    return path


def pku(**keys: Any) -> DatasetSettings:
    return settings(name="pku51", split="pku51-46-5", **keys)


def videos(*names: str) -> tuple[Any, Any, Any]:
    """Returns setup, camera and subject of clips of these videos."""
    numbers = [(int(name[:-2]), VIEWS.index(name[-1]) + 1, 1) for name in names]
    return tuple(np.array(column) for column in zip(*numbers, strict=True))  # type: ignore[return-value]


def test_the_lists_of_pku_mmd_divide_its_clips(tmp_path: Path) -> None:
    names = ("0002-L", "0004-R", "0364-M", "0007-L", "0004-L", "0002-L")
    write_list(tmp_path / "cross-subject.txt", *BY_VIDEO)
    write_list(tmp_path / "cross-view.txt", *BY_VIEW)
    xsub, xview = pku(protocol_list="cross-subject.txt"), pku(protocol="xview", protocol_list="cross-view.txt")
    assert (list_name(xsub), list_name(xview)) == ("cross-subject.txt", "cross-view.txt")
    assert list_name(settings()) == list_name(pku(protocol=CUSTOM)) == ""
    assert training_clips(xsub, *videos(*names), tmp_path).tolist() == [True, False, True, False, False, True]
    assert training_clips(xview, *videos(*names), tmp_path).tolist() == [False, True, True, False, False, False]


def test_a_custom_protocol_of_pku_mmd_needs_no_list() -> None:
    train = training_clips(pku(protocol=CUSTOM, train_cameras=[1]), *videos("0002-L", "0002-M"))
    assert train.tolist() == [True, False]


@pytest.mark.parametrize(
    ("keys", "names", "reason"),
    [
        ({"protocol_list": ""}, ["0002-L"], "name that file, cross-subject.txt, as dataset.protocol_list"),
        ({"protocol_list": "none.txt"}, ["0002-L"], "none.txt: can't be read (No such file or directory)"),
        (
            {"protocol_list": "cross-subject.txt"},
            ["0002-L", "0005-M", "0006-M"],
            "cross-subject.txt has 0005-M and 1 more neither under its training nor under its validation videos",
        ),
        (
            {"protocol_list": "cross-view.txt"},
            ["0002-L"],
            'puts the views of one recording into different parts, which is not protocol "xsub"',
        ),
        (
            {"protocol": "xview", "protocol_list": "cross-subject.txt"},
            ["0002-L"],
            'puts whole recordings into different parts, which is not protocol "xview"',
        ),
        ({"protocol_list": "cross-subject.txt"}, ["0002-L", "0003-M"], "leaves 0 of 2 clips in its test part"),
        (
            {"protocol": "xset", "protocol_list": "cross-subject.txt"},
            ["0002-L"],
            "only for protocols that come as lists",
        ),
        ({"name": "ntu60", "protocol_list": "cross-subject.txt"}, ["0002-L"], 'not for "xsub" of ntu60; remove it'),
    ],
)
def test_a_list_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, keys: dict[str, Any], names: list[str], reason: str
) -> None:
    write_list(tmp_path / "cross-subject.txt", *BY_VIDEO)
    write_list(tmp_path / "cross-view.txt", *BY_VIEW)
    with pytest.raises(DataError) as refused:
        training_clips(settings(**{"name": "pku51", **keys}), *videos(*names), tmp_path)
    assert reason in str(refused.value)


def test_a_list_is_read_with_any_breaks_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfTraining videos:\r\n0003-L,0003-M,\r\n0004-R,\r\n\r\nvalidation videos: 0005-L\r\n")
    listed = read_protocol_list(path)
    assert listed.training == {(3, 1), (3, 2), (4, 3)}
    assert listed.validation == {(5, 1)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no training videos; wanted a line"),
        ("0003-L, 0004-L\n", 'line 1: "0003-L" is not the line "Training videos:"'),
        ("Training videos:\n0003-L\n", "has no validation videos"),
        ("Training videos:\n0003-L\nValidation videos:\n\n", "has no validation videos"),
        ("Training videos:\n0003-X\n", 'line 2: "0003-X" is not a video\'s name'),
        ("Training videos:\n3, 0004-L\n", 'line 2: "3" is not a video\'s name'),
        ("Training videos:\n0003-L\nTraining videos:\n", "line 3: the training videos begin a second time"),
        ("Training videos:\n0003-L\nValidation videos:\n0003-L\n", "line 4: 0003-L stands in line 2 already"),
    ],
)
def test_a_broken_list_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as refused:
        read_protocol_list(path)
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)


@given(st.binary(max_size=80) | st.text("Trainglvdos: 0123-LMR,\n", max_size=80).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any_list.txt"
    path.write_bytes(b"Training videos:" + content)
    with suppress(DataError):
        listed = read_protocol_list(path)
        assert not listed.training & listed.validation
