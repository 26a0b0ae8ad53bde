import numpy as np
import pytest

from data.errors import RawFileError
from data.raw.skeleton_file import format_clip
from data.raw.skeleton_lines import COORDINATES, MAX_LINE_BYTES, read_lines
from tests.shared.made_skeletons import full_clip, moving_clip
from tests.shared.plain_reader import read_frames


def test_rows_are_in_the_order_of_the_file() -> None:
    rng = np.random.default_rng(0)
    content = full_clip(moving_clip(rng, 3, 2), rng)
    rows = read_lines(content, "clip", COORDINATES)
    assert rows.frames == 3
    assert rows.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert rows.place.tolist() == [0, 1] * 3
    expected = [body for frame in read_frames(content) for body in frame]
    assert rows.body_id.tolist() == [body_id for body_id, _ in expected]
    assert np.array_equal(rows.values.astype(np.float32), np.array([joints for _, joints in expected], np.float32))


def test_the_requested_columns_are_read() -> None:
    content = b"1\n1\n7 0 1 1 1 1 0 0 0 2\n25\n" + b"0 1 2 3 4 5 6 7 8 9 10 11\n" * 25
    assert read_lines(content, "clip", (11, 5)).values[0, 24].tolist() == [11, 5]


@pytest.mark.parametrize("number", ["NaN", "-nan", "inf", "-Infinity", "1e999"])
def test_only_coordinates_must_be_finite(number: str) -> None:
    text = format_clip(np.ones((1, 1, 25, 3))).decode()
    read_lines(text.replace("1.0 0 0", f"1.0 0 {number}", 1).encode(), "clip", COORDINATES)
    if number != "1e999":  # a number, but larger than any float32, which is seen later
        with pytest.raises(RawFileError, match=r"line 5: expected a finite number, found "):
            read_lines(text.replace("1.0 0 0", f"{number} 0 0", 1).encode(), "clip", COORDINATES)


def test_a_frame_may_hold_no_body() -> None:
    rows = read_lines(b"2\n0\n0\n", "clip", COORDINATES)
    assert rows.frames == 2
    assert rows.values.shape == (0, 25, 3)


def test_long_lines_are_refused_before_they_are_split() -> None:
    with pytest.raises(RawFileError, match=f"line 1: expected .*, found a line of {MAX_LINE_BYTES + 1} bytes"):
        read_lines(b"1" + b" " * MAX_LINE_BYTES + b"\n0\n", "clip", COORDINATES)


def test_messages_show_the_bad_field_shortened_and_in_ascii() -> None:
    with pytest.raises(RawFileError) as refused:
        read_lines(b"\xff\x00" + b"x" * 100, "clip", COORDINATES)
    assert str(refused.value).isascii() or "…" in str(refused.value)
    assert "\\xff" in str(refused.value)
    assert len(str(refused.value)) < 150
