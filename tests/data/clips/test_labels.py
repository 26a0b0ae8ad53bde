"""Label files of PKU-MMD and UTKinect."""

from pathlib import Path

import pytest

from data.clips.labels import Label, read_labels, recording_of
from data.errors import DataError


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_file_of_each_kind_is_read(tmp_path: Path) -> None:
    pku, _ = read_labels(written(tmp_path, "0003-L.txt", "12,234,300,2\n7, 310 ,400,1\n"))
    assert [(label.recording, label.action, label.start_frame, label.end_frame) for label in pku] == [
        ("0003-L", "12", 234, 300),
        ("0003-L", "7", 310, 400),
    ]
    text = "s01_e01\nwalk: 252 390\nsitDown: 572 686 \n\ns01_e02\ncarry: NaN NaN\nwave hands: 9 3\npush: 5 6\n"
    named, refused = read_labels(written(tmp_path, "labels.txt", text))
    assert [(label.recording, label.action, label.start_frame) for label in named] == [
        ("s01_e01", "walk", 252),
        ("s01_e01", "sitDown", 572),
        ("s01_e02", "push", 5),
    ]
    assert [(error.line, error.reason) for error in refused] == [
        (6, "carry from NaN to NaN: no numbers of frames"),
        (7, "wave hands ends at 3 before it starts at 9"),
    ]


def test_other_files_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels.txt, line 2: 'what, a day' is neither"):
        read_labels(written(tmp_path, "labels.txt", "s01_e01\nwhat, a day\n"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        read_labels(tmp_path / "binary")
    with pytest.raises(DataError, match="can't be read"):
        read_labels(tmp_path / "missing")


def test_a_label_finds_its_recording_by_the_whole_name_or_a_part_between_other_characters() -> None:
    def found(name: str, *stems: str) -> str | None:
        return recording_of(Label(name, "walk", 1, 2, "labels", 1), stems)

    assert found("0003-L", "0003-L", "0003-M") == "0003-L"
    assert found("s01_e01", "joints_s01_e01", "joints_s01_e011") == "joints_s01_e01"
    assert found("s01_e01", "a_s01_e01", "b_s01_e01") is None
    assert found("s02_e01", "joints_s01_e01") is None
