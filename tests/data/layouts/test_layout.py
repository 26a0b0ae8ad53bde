"""Layouts: the built-in ones, those of a user's own, what is refused, and how points become NTU's joints."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.joints import JOINT_NAMES
from data.layouts.layout import Layout, layout_names, load_layout

BUILT_IN = {
    "ntu", "ntu-npy", "pku-mmd", "kinect-v1", "msr-action3d", "kinect-v2-json", "azure-kinect", "zed-34", "mediapipe",
    "smpl-22", "smpl-24", "h36m-17", "bvh", "bvh-biovision", "pyskl", "csv", "coco-17", "coco-18", "openpose-25",
    "halpe-26", "kinect-v2-csv",
}  # fmt: skip
RIGHT_HANDED = [("x", "y", "z"), ("-x", "-y", "z"), ("-x", "y", "-z"), ("y", "z", "x"), ("-y", "z", "-x")]
LEFT_HANDED = [("-x", "y", "z"), ("x", "-y", "z"), ("y", "x", "z")]


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_the_built_in_layouts() -> None:
    assert set(layout_names()) == BUILT_IN
    for name in layout_names():
        layout = load_layout(name)
        assert layout.name == name
        assert layout.title
        assert layout.sources
        if not layout.refused:
            assert layout.endings
            assert all(ending.startswith(".") for ending in layout.endings)


def test_sides_are_kept() -> None:
    for layout in (load_layout(name) for name in layout_names()):
        for ours, theirs in layout.map.items():
            texts = [str(one).lower() for one in (theirs if isinstance(theirs, tuple) else (theirs,))]
            for side, other in (("left", "right"), ("right", "left")):
                if ours.startswith(side):
                    assert all(side in text and other not in text for text in texts), (layout.name, ours)


@pytest.mark.parametrize("axes", RIGHT_HANDED)
def test_axes_that_rotate_are_taken(axes: tuple[str, str, str]) -> None:
    layout = Layout.model_validate({**load_layout("csv").model_dump(), "axes": axes})
    joints = layout.to_ntu(np.tile([1.0, 2.0, 3.0], (1, 1, 25, 1)))
    expected = [{"x": 1, "y": 2, "z": 3}[axis[-1]] * (-1 if axis[0] == "-" else 1) for axis in axes]
    assert joints[0, 0, 7].tolist() == expected


@pytest.mark.parametrize("axes", LEFT_HANDED)
def test_axes_that_mirror_are_refused(axes: tuple[str, str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", f'base = "csv"\naxes = {list(axes)}\n')
    with pytest.raises(DataError, match=r"mine\.toml: axes: .* mirrors the person"):
        load_layout(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 1", "not a TOML file"),
        ('base = "cvs"', 'base: "cvs" is no built-in layout; known are azure-kinect'),
        ('base = "csv"\nunit = 1', r"mine\.toml, unit: Extra inputs"),
        ('base = "csv"\nunit_m = -1', r"mine\.toml, unit_m"),
        ('base = "csv"\nunit_m = nan', r"mine\.toml, unit_m"),
        ('base = "csv"\naxes = ["x", "x", "z"]', "names an axis twice"),
        ('base = "csv"\naxes = ["x", "y", "w"]', '"w" is none of'),
        ('base = "csv"\n[map]\nhead = "hed"', 'map.head: "hed" is none of the joints; do you mean "head"'),
        ('base = "csv"\n[map]\nhead = 25', "map.head: 25 is not 0 to 24"),
        ('base = "csv"\n[map]\nhead = []', "map.head: names no joint"),
        ('base = "csv"\n[map]\nheed = 3', 'map: heed is none of our joints; do you mean "head"'),
        ('base = "csv"\n[reader]\nkind = "xml"', "reader"),
        ('base = "csv"\n[reader]\ncolum = "{joint}"', r"reader\.text\.colum"),
        ('title = "mine"', "reader: missing"),
        ('base = "ntu"\nunit_m = 0.001', r"mine\.toml: describes \.skeleton files, which are read as they are"),
        ('title = "mine"\njoints = ["a"]\n[reader]\nkind = "text"', "map: spine_base, .* missing"),
        ('title = "mine"\njoints = ["a", "a"]\n[reader]\nkind = "text"', "name each joint of the source once"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        load_layout(write(tmp_path / "mine.toml", text))


def test_unknown_names_list_the_known_ones_and_the_closest() -> None:
    with pytest.raises(
        DataError, match=r'"azure-kinekt" is no layout; do you mean "azure-kinect"\?; known are .*zed-34'
    ):
        load_layout("azure-kinekt")
    with pytest.raises(DataError, match=r"none\.toml: can't be read \(No such file"):
        load_layout("none.toml")


def test_a_layout_of_ones_own_changes_a_built_in_one(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", 'base = "azure-kinect"\nunit_m = 1\n[reader]\ntime_column = "t"\n')
    layout, base = load_layout(path), load_layout("azure-kinect")
    assert (layout.name, layout.unit_m, layout.joints, layout.map) == ("mine", 1, base.joints, base.map)
    assert layout.reader is not None
    assert base.reader is not None
    assert layout.reader.model_dump() == {**base.reader.model_dump(), "time_column": "t"}


def test_the_layouts_that_the_page_shows(tmp_path: Path) -> None:
    page = Path(__file__).parents[3].joinpath("docs", "layouts.md").read_text("utf-8")
    shown = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    whole = [text for text in shown if text.startswith("base")]
    assert len(whole) == 3
    for text in whole:
        assert load_layout(write(tmp_path / "mine.toml", text)).name in ("mine", "my-kinect")


def test_means_of_what_is_there() -> None:
    layout = load_layout("azure-kinect")
    points = np.full((1, 1, 32, 3), 1000.0)
    points[0, 0, 1] = np.nan  # SPINE_NAVEL, one of two of spine_mid
    points[0, 0, 2] = (2000, 3000, 4000)
    points[0, 0, 26] = np.nan  # HEAD
    joints = dict(zip(JOINT_NAMES, layout.to_ntu(points)[0, 0].tolist(), strict=True))
    assert joints["spine_mid"] == [-2, -3, 4]
    assert joints["neck"] == [-1, -1, 1]
    assert joints["spine_shoulder"] == [-1.5, -2, 2.5]
    assert all(map(math.isnan, joints["head"]))


def test_zero_is_absent_where_a_sensor_stands_there() -> None:
    points = np.ones((1, 2, 17, 3))
    points[0, 0, 0] = 0
    points[0, 1] = 0
    joints = load_layout("h36m-17").to_ntu(points)
    assert joints[0, 0, 0].tolist() == [0, 0, 0]  # the hip, from which all is measured
    assert np.isnan(joints[0, 1]).all()
    points = np.ones((1, 1, 25, 3))
    points[0, 0, 3] = 0
    assert np.isnan(load_layout("csv").to_ntu(points)[0, 0, 3]).all()


def test_other_shapes_and_infinite_numbers_are_refused() -> None:
    layout = load_layout("csv")
    with pytest.raises(DataError, match=r"shape \(4, 25, 3\), where csv has \(frames, bodies, 25, 3\)"):
        layout.to_ntu(np.zeros((4, 25, 3)))
    with pytest.raises(DataError, match="infinite"):
        layout.to_ntu(np.full((1, 1, 25, 3), np.inf))


@given(st.integers(0, 2**32), st.sampled_from([name for name in layout_names() if not load_layout(name).refused]))
def test_a_map_only_moves_and_turns(seed: int, name: str) -> None:
    layout = load_layout(name)
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, 1, len(layout.joints), 3))
    shift = rng.normal(size=3)
    unit_m = layout.unit_m or 1
    moved = layout.to_ntu(points + shift) - layout.to_ntu(points)
    assert np.allclose(moved, moved[0, 0, 0], atol=1e-5 * max(1, unit_m))
    assert np.linalg.norm(moved[0, 0, 0]) == pytest.approx(np.linalg.norm(shift) * unit_m, rel=1e-3, abs=1e-6)
