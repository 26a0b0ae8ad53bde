from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from data.errors import DataError, RawFileError
from data.raw.skeleton_file import MAX_BODY_FRAMES, MAX_BYTES, RawClip, format_clip, parse_clip
from tests.fuzz.skeleton_file import GOOD_OUTCOMES, fuzz
from tests.shared.made_skeletons import full_clip, moving_clip
from tests.shared.plain_reader import identified_bodies, listed_bodies, read_frames

coordinates = st.floats(-20, 20, width=32) | st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def clips(draw: st.DrawFn) -> NDArray[np.float32]:
    """Clips (T, M, 25, 3) with absent bodies, and at least one body in one frame."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 4)), 25, 3)
    joints: NDArray[np.float32] = draw(arrays(np.float32, shape, elements=coordinates, fill=coordinates))
    joints *= draw(arrays(np.bool_, shape[:2]))[..., None, None]
    joints[draw(st.integers(0, shape[0] - 1)), :, 0, 0] = 1
    return joints


def one_body(frames: int = 2) -> NDArray[np.float32]:
    return moving_clip(np.random.default_rng(0), frames)


def lines_of(content: bytes) -> list[bytes]:
    return content.split(b"\n")


@given(clips(), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None, max_examples=50)
def test_a_written_clip_is_read_back_bit_for_bit(joints: NDArray[np.float32], newline: str) -> None:
    clip = parse_clip(format_clip(joints, newline=newline), "clip")
    appearance = np.argsort(joints.any(axis=(2, 3)).argmax(axis=0), kind="stable")
    assert clip.joints.shape == joints.shape
    assert np.array_equal(clip.joints, joints[:, appearance])
    assert clip.frames == len(joints)


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=6, unique=True))
@example([72057594037944738, 72057594037944739])
@settings(deadline=None)
def test_body_ids_are_exact(ids: list[int]) -> None:
    clip = parse_clip(format_clip(np.ones((1, len(ids), 25, 3)), ids), "clip")
    assert clip.body_ids.tolist() == ids
    assert clip.body_ids.dtype == np.int64


def test_official_looking_files_are_read_as_a_plain_reader_reads_them() -> None:
    rng = np.random.default_rng(3)
    content = full_clip(moving_clip(rng, 30, 3), rng)
    clip = parse_clip(content, "clip")
    frames = read_frames(content)
    assert np.array_equal(clip.joints.transpose(1, 0, 2, 3), np.stack(identified_bodies(frames)))
    assert np.array_equal(clip.listed(4), np.stack(listed_bodies(frames, 3)))


def test_bodies_are_indexed_by_id_and_by_place_in_the_list() -> None:
    joints = np.ones((3, 2, 25, 3), np.float32) * np.array([1, 2], np.float32)[:, None, None]
    joints[0, 1] = joints[2, 0] = 0  # the second body appears in frame 1, the first disappears in frame 2
    clip = parse_clip(format_clip(joints, [11, 22]), "clip")
    assert clip.body_ids.tolist() == [11, 22]
    assert clip.joints[:, :, 0, 0].tolist() == [[1, 0], [1, 2], [0, 2]]
    assert clip.listed(4)[:, :, 0, 0].tolist() == [[1, 1, 2], [0, 2, 0]]
    assert clip.listed(1)[:, :, 0, 0].tolist() == [[1, 1, 2]]


def test_colour_and_tracking_are_read_on_request() -> None:
    rng = np.random.default_rng(1)
    joints = moving_clip(rng, 4, 2)
    colour = rng.uniform(0, 1920, (4, 2, 25, 2)).astype(np.float32)
    tracking = rng.integers(0, 3, (4, 2, 25))
    content = format_clip(joints, colour=colour, tracking=tracking)
    plain, detailed = parse_clip(content, "clip"), parse_clip(content, "clip", details=True)
    assert plain.row_colour is None
    assert plain.row_tracking is None
    assert detailed.row_colour is not None
    assert detailed.row_tracking is not None
    assert np.array_equal(detailed.row_colour.reshape(4, 2, 25, 2), colour)
    assert np.array_equal(detailed.row_tracking.reshape(4, 2, 25), tracking)
    assert np.array_equal(detailed.joints, joints)


def same(one: RawClip, other: RawClip) -> bool:
    return np.array_equal(one.joints, other.joints) and np.array_equal(one.body_ids, other.body_ids)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\n", b"\r\n"), (b"\n", b"  \t\r\n"), (b" ", b"   "), (b" ", b"\t"), (b"\n0", b"\n  0"), (b" 0 ", b" NaN "),
     (b" 0 ", b" -Infinity "), (b" 0 ", b" 0.e0 "), (b" 0 ", b" .0 ")],
)  # fmt: skip
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n", b"\n \t\n"])
def test_other_blanks_line_ends_and_ignored_numbers_give_the_same_clip(old: bytes, new: bytes, end: bytes) -> None:
    content = format_clip(one_body(), newline="\n")
    assert same(parse_clip(content.rstrip().replace(old, new) + end, "clip"), parse_clip(content, "clip"))


@pytest.mark.parametrize("frames", [1, 2, 3000])
def test_clips_may_be_short_and_long(frames: int) -> None:
    joints = np.broadcast_to(one_body(1), (frames, 1, 25, 3))
    assert np.array_equal(parse_clip(format_clip(joints), "clip").joints, joints)


def test_frames_without_a_body_are_zero() -> None:
    joints = np.concatenate([np.zeros((2, 1, 25, 3)), one_body(1), np.zeros((3, 1, 25, 3))])
    clip = parse_clip(format_clip(joints), "clip")
    assert clip.joints.any(axis=(1, 2, 3)).tolist() == [False, False, True, False, False, False]


def with_line(number: int, text: bytes) -> bytes:
    """A clip of two frames in which line `number` is replaced by `text`."""
    lines = lines_of(format_clip(one_body(), newline="\n"))
    lines[number - 1] = text
    return b"\n".join(lines)


JOINT = b"0.1 0.2 0.3 0 0 0 0 0 0 0 0 2"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", None, "empty"),
        (b" \r\n", None, "empty"),
        (b"0\n", None, "none of its 0 frames holds a body"),
        (b"2\n0\n0\n", None, "none of its 2 frames holds a body"),
        (b"hello", 1, 'expected the number of frames, found "hello"'),
        (b"\xef\xbb\xbf1\n0\n", None, "begins with a byte order mark"),
        (with_line(1, b"3"), 57, "the file ends here; expected the number of bodies in frame 3 of 3"),
        (with_line(1, b"1"), 30, "text follows the last frame"),
        (with_line(1, b"999999999999"), 1, "but the file has"),
        (with_line(1, b"-2"), 1, 'expected the number of frames, found "-2"'),
        (with_line(1, b"2.0"), 1, 'expected the number of frames, found "2.0"'),
        (with_line(1, b""), 1, "expected the number of frames (1 field), found 0 fields"),
        (with_line(2, b"2"), 30, "expected a body (10 fields), found 1 field"),
        (with_line(2, b"0"), 3, "expected the number of bodies in frame 2 of 2 (1 field), found 10 fields"),
        (with_line(2, b"123456789"), 2, "but the file has"),
        (with_line(3, b"1 2 3"), 3, "expected a body (10 fields), found 3 fields"),
        (with_line(3, b"1.5 0 1 1 1 1 0 0 0 2"), 3, 'expected a body\'s id, found "1.5"'),
        (with_line(3, b"9223372036854775808 0 1 1 1 1 0 0 0 2"), 3, "expected a body's id, found"),
        (with_line(3, b"1 0 1 1 x 1 0 0 0 2"), 3, 'expected a number, found "x"'),
        (with_line(4, b"20"), 4, "20 joints; a body has 25"),
        (with_line(4, b"26"), 4, "26 joints; a body has 25"),
        (with_line(5, b"0.1 0.2 0.3"), 5, "expected joint 1 of 25 (12 fields), found 3 fields"),
        (with_line(6, JOINT + b" # checked"), 6, "expected joint 2 of 25 (12 fields), found 14 fields"),
        (with_line(7, b"nan" + JOINT[3:]), 7, 'expected a finite number, found "nan"'),
        (with_line(7, JOINT.replace(b"0.2", b"-inf")), 7, 'expected a finite number, found "-inf"'),
        (with_line(7, JOINT.replace(b"0.3", b"1.2.3")), 7, 'expected a finite number, found "1.2.3"'),
        (with_line(7, JOINT.replace(b"0.3", b"0,3")), 7, 'expected a finite number, found "0,3"'),
        (with_line(7, JOINT.replace(b"0.3", b"0x1")), 7, 'expected a finite number, found "0x1"'),
        (with_line(7, JOINT[:-1] + b"two"), 7, 'expected a number, found "two"'),
        (with_line(7, JOINT.replace(b"0.3", b"1e39")), 3, "too large for a float32"),
        (with_line(7, JOINT.replace(b"0.3", b"1e999")), 3, "too large for a float32"),
        (with_line(7, b""), 7, "expected joint 3 of 25 (12 fields), found 0 fields"),
        (with_line(7, b"1" * 5000), 7, "found a line of 5000 bytes"),
        (with_line(30, b"1\n"), 31, "expected a body (10 fields), found 0 fields"),
        (format_clip(one_body()) + b"1\n", 58, "text follows the last frame"),
        (format_clip(one_body()) + b"\x00", 58, "text follows the last frame"),
        (b"\n".join(lines_of(format_clip(one_body()))[:40]), 40, "the file ends here; expected joint 9 of 25"),
        (format_clip(np.ones((2, 2, 25, 3)), [7, 7]), 30, "a body id occurs twice in this frame"),
        (format_clip(one_body()).decode().encode("utf-16"), None, "the file is UTF-16"),
    ],
)  # fmt: skip
def test_a_fault_is_reported_with_its_line_and_reason(content: bytes, line: int | None, reason: str) -> None:
    with pytest.raises(RawFileError) as refused:
        parse_clip(content, "folder/clip.skeleton")
    assert reason in refused.value.reason
    assert refused.value.line == line
    assert refused.value.file == "folder/clip.skeleton"
    assert str(refused.value).startswith("folder/clip.skeleton")
    assert "\n" not in str(refused.value)


def test_an_unknown_tracking_state_is_refused_when_details_are_read() -> None:
    content = with_line(7, JOINT[:-1] + b"3")
    parse_clip(content, "clip")
    with pytest.raises(RawFileError, match=r"line 3: a tracking state is not 0, 1 or 2"):
        parse_clip(content, "clip", details=True)


def test_files_too_large_for_a_clip_are_refused() -> None:
    with pytest.raises(RawFileError, match=f"a clip has at most {MAX_BYTES}"):
        parse_clip(bytes(MAX_BYTES + 1), "clip")
    body = lines_of(format_clip(one_body(1), newline="\n"))[1 : 28 + 1]
    long = b"\n".join([b"%d" % (MAX_BODY_FRAMES + 1), *body, *[b"0"] * MAX_BODY_FRAMES])
    with pytest.raises(RawFileError, match=f"{MAX_BODY_FRAMES + 1} frames times 1 bodies"):
        parse_clip(long, "clip")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_only_finite_coordinates_are_written(value: float) -> None:
    joints: NDArray[Any] = one_body()
    joints[1, 0, 2, 1] = value
    with pytest.raises(DataError, match="not finite"):
        format_clip(joints)


def test_broken_files_are_either_read_or_refused() -> None:
    outcomes = fuzz(files=150, seed=20)
    assert set(outcomes) <= GOOD_OUTCOMES
    assert set(outcomes) >= {"read", "refused"}


@pytest.mark.parametrize("shape", [(4, 1, 20, 3), (4, 25, 3), (4, 1, 25, 2)])
def test_an_array_of_another_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"an array \(frames, bodies, 25, 3\) in metres, found shape \(4, "):
        format_clip(np.ones(shape))
