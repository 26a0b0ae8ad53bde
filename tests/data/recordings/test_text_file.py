"""Recordings that are lines of numbers: columns by name, fixed places, bodies, absent fields, and what is refused."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import RawFileError
from data.layouts.layout import Layout, load_layout
from data.recordings.readers import open_recording
from data.recordings.recording import FrameBlock
from tests.data.layouts.made_recordings import person, points_of, recording_of, text_with_header
from tests.shared.mutations import MUTATIONS

CSV, AZURE, V1 = load_layout("csv"), load_layout("azure-kinect"), load_layout("kinect-v1")
COLUMNS = ",".join(f"{joint} {axis}" for joint in CSV.joints for axis in "xyz")


def read(content: bytes | str, layout: Layout = CSV) -> FrameBlock:
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    (block,) = open_recording(stream, "file.csv", layout).blocks
    return block


def row(value: float = 1.0) -> str:
    return ",".join([str(value)] * 75)


def test_the_order_of_columns_and_others_do_not_matter() -> None:
    names = ["other", *COLUMNS.split(",")[::-1], "frame"]
    numbers = ["text", *[str(number) for number in reversed(range(75))], "12"]
    block = read(",".join(names) + "\n" + ",".join(numbers) + "\n")
    assert block.points.ravel().tolist() == list(range(75))
    assert block.number.tolist() == [12]
    assert block.times_s is None


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_delimiters_and_byte_order_marks(delimiter: str) -> None:
    points = points_of(person(4), AZURE)
    content = b"\xef\xbb\xbf" + text_with_header(AZURE, points, delimiter).replace(b"\n", b"\r\n\r\n")
    block = read(content, AZURE)
    assert np.allclose(block.points[:, 0], points)
    assert block.times_s is not None


def test_empty_fields_and_quotes() -> None:
    head = ",".join(f'"{name}"' for name in COLUMNS.split(","))
    block = read(f"{head}\n{row()}\n" + ",".join(["", "NaN", '"2.5"', *["1"] * 72]) + "\n")
    assert np.isnan(block.points[1, 0, 0]).tolist() == [True, True, False]
    assert block.points[1, 0, 0, 2] == 2.5


def test_bodies_come_and_go() -> None:
    lines = [(0, 5, 1.0), (0, 9, 2.0), (1, 9, 3.0), (3, 5, 4.0), (3, 9, 5.0), (3, 2, 6.0)]
    text = f"frame,body,{COLUMNS}\n" + "".join(f"{frame},{body},{row(value)}\n" for frame, body, value in lines)
    block = read(text)
    assert block.number.tolist() == [0, 1, 3]
    first = block.points[:, :, 0, 0]
    expected = np.array([[1, 2, np.nan], [np.nan, 3, np.nan], [4, 5, 6]])
    assert np.array_equal(first, expected, equal_nan=True)


@pytest.mark.parametrize("column", ["{}_{}", "{}.{}", "{}{}", "{} ({})"])
def test_names_of_columns_may_differ_in_capitals_and_signs(column: str) -> None:
    layout = load_layout("kinect-v2-csv")
    names = [column.format(joint, axis) for joint in layout.joints for axis in "XYZ"]
    block = read(f"Frame,{','.join(names)}\n12,{row(2.5)}\n", layout)
    assert block.points.ravel().tolist() == [2.5] * 75
    assert block.number.tolist() == [12]


def test_a_column_of_the_very_name_comes_before_those_that_are_like_it() -> None:
    block = read(f"Frame,frame,FRAME,{COLUMNS}\n7,12,9,{row(2.5)}\n")
    assert block.number.tolist() == [12]
    with pytest.raises(RawFileError, match='"Frame" and "FRAME" may both be the column "frame"; rename one'):
        read(f"Frame,FRAME,{COLUMNS}\n7,9,{row(2.5)}\n")


def test_the_numbers_that_kinect_gives_to_bodies() -> None:
    first = 72057594037927936  # a float64 holds only each sixteenth number of this size
    lines = [(0, first, 1.0), (0, first + 1, 2.0), (1, first + 1, 3.0)]
    block = read(f"frame,body,{COLUMNS}\n" + "".join(f"{frame},{body},{row(value)}\n" for frame, body, value in lines))
    assert block.points[0, :, 0, 0].tolist() == [1, 2]
    assert block.points[1, 1, 0, 0] == 3


def test_numbers_may_skip_and_repeat() -> None:
    texts = recording_of(V1, points_of(person(4), V1)).decode().splitlines()
    numbers = [190, 190, 194, 200]
    lines = [f"{number}   {line.partition(' ')[2]}  " for number, line in zip(numbers, texts, strict=True)]
    assert read("\n".join(lines), V1).number.tolist() == numbers


def test_two_bodies_in_a_line() -> None:
    layout = load_layout("pku-mmd")
    one, two = " ".join(["1"] * 75), " ".join(["0"] * 75)
    block = read(f"{one} {two}\n{two} {one}\n{one} {one}\n{two} {two}\n", layout)
    assert block.points.shape == (4, 2, 25, 3)
    there = ~np.isnan(block.points[:, :, 0, 0])
    assert there.tolist() == [[True, False], [False, True], [True, True], [False, False]]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "holds no line of text"),
        (COLUMNS + "\n", None, "holds no frame"),
        (f"{COLUMNS}\n{row()}\n{row()},1\n", 3, "expected 75 fields, found 76"),
        (f"{COLUMNS}\n{row()}\n1,2\n", 3, "expected 75 fields, found 2"),
        (f"{COLUMNS}\n{row()}\nx{row()}\n", 3, 'spine_base x: expected a number, found "x1.0"'),
        (f"{COLUMNS}\n0x1F{row()[3:]}\n", 2, 'found "0x1F"'),
        (f"{COLUMNS}\ninf{row()[3:]}\n", 2, "infinite|expected a number"),
        (f"{COLUMNS}\n1e39{row()[3:]}\n", 2, "too large for a float32"),
        (f"{COLUMNS},spine_base x\n{row()},1\n", 1, 'two columns are called "spine_base x"'),
        (
            f"{COLUMNS},SpineBase_X\n{row()},1\n".replace("spine_base x", "spine_base.x"),
            1,
            '"spine_base.x" and "SpineBase_X" may both be the column "spine_base x"; rename one',
        ),
        (COLUMNS.replace("head x", "hed x") + f"\n{row()}\n", 1, 'no column "head x"; csv needs it, .* spine_base x'),
        (f"frame,{COLUMNS}\n1.5,{row()}\n", 2, "frame: expected a whole number, found 1.5"),
        (f"frame,{COLUMNS}\n,{row()}\n", 2, "frame: expected a whole number, found nan"),
        (f"frame,{COLUMNS}\n5,{row()}\n4,{row()}\n", 3, "number is 4 after 5"),
        (f"time_s,{COLUMNS}\n5,{row()}\n4,{row()}\n", 3, "time is 4 after 5"),
        (f"body,{COLUMNS}\n1,{row()}\n", 1, 'neither "frame" nor "time_s"'),
        (f"frame,body,{COLUMNS}\n1,1,{row()}\n1,1,{row()}\n", 3, "body 1 stands twice"),
        (f"frame,body,{COLUMNS}\n1,{'9' * 9000},{row()}\n", 2, "body: expected a whole number"),
        (f"{COLUMNS}\n" + "9" * 200_000, 2, "longer than"),
        ("\x00\x01\x02", 1, "no column"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(RawFileError, match=said) as error:
        read(text)
    assert (error.value.file, error.value.line) == ("file.csv", line)


def test_other_encodings_are_refused() -> None:
    for encoding, said in (("utf-16", "UTF-16"), ("cp037", "not text|no column")):
        with pytest.raises(RawFileError, match=said):
            read(f"{COLUMNS}\n{row()}\n".encode(encoding))


def test_decimal_commas_get_a_hint() -> None:
    text = COLUMNS.replace(",", ";") + "\n" + row().replace(",", ";").replace(".", ",") + "\n"
    with pytest.raises(RawFileError, match='found "1,0"; write decimals with a point'):
        read(text)


def test_too_many_bodies_are_refused() -> None:
    lines = "".join(f"{frame},{frame},{row()}\n" for frame in range(65))
    with pytest.raises(RawFileError, match="more than 64 bodies"):
        read(f"frame,body,{COLUMNS}\n{lines}")


def test_a_frame_of_too_few_joints_is_refused() -> None:
    layout = load_layout("msr-action3d")
    content = recording_of(layout, points_of(person(3), layout))
    with pytest.raises(RawFileError, match="line 41: the last frame has 19 of 20 joints"):
        read(b"\n".join(content.splitlines()[:-1]), layout)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["csv", "azure-kinect", "kinect-v1", "msr-action3d", "pku-mmd"]), st.integers(0, 2**32))
def test_broken_texts_are_read_or_refused(name: str, seed: int) -> None:
    layout = load_layout(name)
    rng = np.random.default_rng(seed)
    content = recording_of(layout, points_of(person(5), layout))
    content = MUTATIONS[int(rng.integers(len(MUTATIONS) - 1))](content, rng)
    try:
        blocks = list(open_recording(io.BytesIO(content), "file", layout).blocks)
    except RawFileError:
        return
    assert all(np.isfinite(block.points).any() for block in blocks)
