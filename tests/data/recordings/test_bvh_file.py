"""BVH: rotations against those of SciPy, names of joints, units from the body's size, and what is refused."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from data.errors import RawFileError
from data.layouts.layout import Layout, load_layout
from data.recordings.readers import open_recording
from data.recordings.recording import FrameBlock
from tests.data.layouts.made_recordings import bvh_of, person, points_of
from tests.shared.mutations import MUTATIONS

BVH = load_layout("bvh")
CHAIN = Layout.model_validate(  # the ends of a chain of three joints, and its root
    {
        **BVH.model_dump(),
        "joints": ["a", "b", "c", "end"],
        "unit_m": 1,
        "map": dict.fromkeys(BVH.map, "end"),
        "reader": {"kind": "bvh", "names": {"end": ["c.end"]}},
    }
)
TEXT = """HIERARCHY
ROOT made:A
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT b
  { OFFSET 0 10 0
    CHANNELS 3 Xrotation Yrotation Zrotation
    JOINT c
    {
      OFFSET 5 0 0
      CHANNELS 3 Yrotation Zrotation Xrotation
      End Site
      {
        OFFSET 0 0 2
      } } } }
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0 0 0 0 0 0 0
1 2 3 10 20 30 40 50 60 70 80 90
"""


def read(text: str, layout: Layout = CHAIN) -> FrameBlock:
    (block,) = open_recording(io.BytesIO(text.encode()), "file.bvh", layout).blocks
    return block


def test_forward_kinematics() -> None:
    points = read(TEXT).points[:, 0]  # (T, 4, 3)
    assert points[0].tolist() == [[0, 0, 0], [0, 10, 0], [5, 10, 0], [5, 10, 2]]
    turn = Rotation.from_euler("ZXY", [10, 20, 30], degrees=True)
    expected = [np.array([1.0, 2, 3])]
    for offset, axes, angles in (
        ([0, 10, 0], "XYZ", [40, 50, 60]),
        ([5, 0, 0], "YZX", [70, 80, 90]),
        ([0, 0, 2], "X", [0]),
    ):
        expected.append(expected[-1] + turn.apply(offset))
        turn = turn * Rotation.from_euler(axes, angles if len(angles) > 1 else angles[0], degrees=True)
    assert np.allclose(points[1], expected, atol=1e-5)


def test_the_frame_rate() -> None:
    assert open_recording(io.BytesIO(TEXT.encode()), "file", CHAIN).fps == pytest.approx(25)


@pytest.mark.parametrize("name", ["bvh", "bvh-biovision"])
@pytest.mark.parametrize(
    ("size", "unit_m"), [(1, 1), (1, 0.01), (1, 0.0254), (1.1, 0.01), (0.9, 0.001), (1, 0.056), (1, 3)]
)
def test_the_unit_comes_from_the_size_of_the_body(name: str, size: float, unit_m: float) -> None:
    layout = load_layout(name)
    joints = person(8) * np.float32(size)
    points = points_of(joints, layout) * 0.01 / unit_m  # in the unit of the file
    recording = open_recording(io.BytesIO(bvh_of(points, layout)), "file", layout)
    (read_m,) = (layout.to_ntu(block.points) for block in recording.blocks)
    torso_m = np.linalg.norm(read_m[:, 0, 0] - read_m[:, 0, 1], axis=-1) / np.linalg.norm(
        joints[:, 0] - joints[:, 1], axis=-1
    )
    assert np.median(torso_m) == pytest.approx(1, rel=1e-4 if unit_m <= 1 and unit_m != 0.056 else 0.2)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("HIERARCHY", "HIERARCHIE", 1, 'expected "HIERARCHY"'),
        ("MOTION", "}\nMOTION", 17, '"}" does not fit here'),
        ("} } } }", "} } }", 17, "a } is missing"),
        ("OFFSET 5 0 0", "OFFSET 5 0", 11, "expected one OFFSET of 3 numbers"),
        ("OFFSET 5 0 0", "OFFSET 5 0 x", 11, 'expected a number, found "x"'),
        ("OFFSET 5 0 0", "OFFSET 5 0 nan", 11, "expected a number"),
        ("OFFSET 5 0 0", "", 16, "a joint ends without an OFFSET"),
        ("CHANNELS 6", "CHANNELS 7", 5, "expected CHANNELS"),
        ("Xposition Y", "Yposition Y", 5, "expected CHANNELS"),
        ("Xposition Y", "Wposition Y", 5, "expected CHANNELS"),
        ("JOINT c", "ROOT c", 9, "a second ROOT"),
        ("JOINT c", "JOINT b", 9, 'two joints are called "b"'),
        ("JOINT c", "JOINT d", None, "no joint c, which bvh needs as c; found made:A, b, d"),
        ("JOINT c", "JOINT", 9, "JOINT without a name"),
        ("JOINT c", "JOINT c JOINT d", None, "no joint c"),
        ("Frames: 2", "Frames: 3", None, "2 of 3 frames are there"),
        ("Frames: 2", "Frames: 1", 21, "more lines than its 1 frames"),
        ("Frames: 2", "Frames: 99999999", 18, "expected 1 to"),
        ("Frames: 2", "Frames: 1.5", 18, "expected 1 to"),
        ("0.04", "0", 19, "expected a time"),
        ("0.04", "inf", 19, "expected a number"),
        ("80 90", "80", 21, "expected 12 fields, found 11"),
        ("80 90", "80 x", 21, 'c channel 3: expected a number, found "x"'),
        ("80 90", "80 nan", 21, "missing or infinite"),
        ("1 2 3 10", "1e300 2 3 10", 21, "too far away"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, line: int | None, said: str) -> None:
    with pytest.raises(RawFileError, match=said) as error:
        read(TEXT.replace(old, new, 1))
    assert error.value.line == line


def test_deep_and_large_hierarchies_are_refused() -> None:
    deep = "HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\nOFFSET 0 0 0\n" * 10_000
    wide = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\n" + "JOINT b\n{\nOFFSET 0 0 0\n}\n" * 10_000
    for text in (deep, wide):
        with pytest.raises(RawFileError, match="more than 1000 joints, or 100 within each other"):
            read(text)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_broken_files_are_read_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = MUTATIONS[int(rng.integers(len(MUTATIONS) - 1))](TEXT.encode(), rng)
    try:
        blocks = list(open_recording(io.BytesIO(content), "file", CHAIN).blocks)
    except RawFileError:
        return
    assert all(np.isfinite(block.points).all() for block in blocks)
