"""Layouts are guessed from files; what is two-dimensional, unknown or no person is refused with what was seen."""

import io
import json
from typing import Any

import numpy as np
import pytest

from data.errors import DataError
from data.layouts.layout import load_layout
from data.raw.skeleton_file import format_clip
from data.recordings.guess import guess_layout
from tests.data.layouts.made_recordings import person, points_of, recording_of


def guess(content: bytes, source: str = "file") -> str:
    return guess_layout(source, io.BytesIO(content)).layout.name


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_ntu_files_are_known_by_their_lines() -> None:
    assert guess(format_clip(person(3)[:, None])) == "ntu"


def flat(joints: int) -> list[float]:
    return [number for joint in range(joints) for number in (100.5 + joint, 200.5, 0.9)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"data": [{"skeleton": [{"pose": [[1.5, 2.5]] * 17}]}]},
            r"17 key points of 2 numbers \(coco-17\): .*lift",
        ),
        ([{"points": [{"x": 1, "y": 2, "name": "nose"}] * 33}], "33 key points of 2 numbers: two-dimensional; lift"),
        ({"people": [{"pose_keypoints_2d": flat(25)}]}, r"25 key points of 3 numbers \(openpose-25\)"),
        ([{"image_id": "1.jpg", "keypoints": flat(26), "score": 1}], r"\(halpe-26\)"),
        ([{"keypoints": flat(17)}], r"\(coco-17\)"),
        ([{"keypoints": flat(18)}], r"\(coco-18\)"),
        ({"a": 1}, 'JSON that no built-in layout fits .*found keys "a"'),
    ],
)
def test_two_dimensional_and_unknown_json(value: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        guess(json.dumps(value).encode())


def test_confidences_are_no_third_dimension() -> None:
    rng = np.random.default_rng(0)
    for scale in (1, 640):
        points = rng.uniform(0, 1, (20, 17, 3)) * [scale, scale, 1]
        with pytest.raises(DataError, match="h36m-17: its third numbers are confidences"):
            guess(npy(points))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda points: points * 1000, "smpl-22: the torso would measure 5[0-9]+ m, so the unit is another"),
        (lambda points: points[..., [0, 2, 1]] * [1, -1, 1], "smpl-22: the head would not be above"),
        (lambda points: points * [1, -1, -1], "smpl-22: the head would not be above"),
        (lambda points: points * [-1, 1, 1], "smpl-22: the toes would point back, so left and right are exchanged"),
        (lambda points: points * np.nan, "smpl-22: no frame has a whole body"),
    ],
)
def test_what_is_no_person_is_refused(change: Any, said: str) -> None:
    layout = load_layout("smpl-22")
    with pytest.raises(DataError, match=said):
        guess(npy(change(points_of(person(20), layout))))


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 200, b"PK\x03\x04", b"\x80\x04N.", b"HIERARCHY\n"])
def test_other_files_fit_no_layout(content: bytes) -> None:
    with pytest.raises(DataError, match="no built-in layout fits"):
        guess(content)


def test_mocap_that_faces_away_is_guessed_too() -> None:
    layout = load_layout("bvh")
    joints = (person(20) * np.array([-1, 1, -1])).astype(np.float32)
    assert guess(recording_of(layout, points_of(joints, layout))) == "bvh"
