"""Made raw files: their bytes are the same each time, and the real parser reads them and refuses the broken ones."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.clip_name import ClipName
from data.errors import DataError
from data.joints import JOINT_NAMES
from data.raw.skeleton_file import parse_clip
from pipeline.demo.made_clips import MadeDataset, broken_files, clip_file, performer, raw_name, write_raw_clips

SMALL = MadeDataset(actions=(1, 8, 25), subjects=4, replications=2, frames=(10, 16), seed=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_raw_clips(tmp_path / name, SMALL)
    write_raw_clips(tmp_path / "other", replace(SMALL, seed=3))
    first, second, other = (contents(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if first[name])


def test_a_clip_does_not_depend_on_the_others() -> None:
    clip = ClipName(setup=1, camera=2, subject=2, replication=1, action=8)
    wider = replace(SMALL, actions=(7, 8), subjects=9, replications=5)
    assert clip_file(clip, SMALL) == clip_file(clip, wider)


def test_folder_and_archive_hold_every_clip_once(tmp_path: Path) -> None:
    setup1, setup2 = write_raw_clips(tmp_path, SMALL)
    broken = {name for name, _ in broken_files(SMALL)}
    names = [path.name for path in setup1.iterdir() if path.name not in broken]
    with zipfile.ZipFile(setup2) as archive:
        names += archive.namelist()
    assert sorted(names) == sorted(raw_name(clip) for clip in SMALL.clips())
    assert len(names) == 3 * 4 * 2
    assert {name[:4] for name in names} == {"S001", "S002"}
    assert {name[4:8] for name in names} == {"C001", "C002", "C003"}


def test_clips_are_of_the_asked_length_in_front_of_the_camera_and_a_few_have_two_bodies() -> None:
    dataset = replace(SMALL, subjects=6, replications=4)
    bodies = []
    for clip in dataset.clips():
        raw = parse_clip(clip_file(clip, dataset), str(clip))
        assert dataset.frames[0] <= raw.frames <= dataset.frames[1]
        joints = raw.joints  # (T, M, 25, 3)
        bodies.append(joints.shape[1])
        assert 1.5 < joints[..., 2][joints.any(axis=-1)].min() < joints[..., 2].max() < 5.0
        assert raw.body_ids.min() > 2**56 - 1
    assert 0 < sum(number == 2 for number in bodies) < len(bodies) / 4
    assert set(bodies) == {1, 2}


def test_cameras_see_the_same_person_from_different_sides() -> None:
    left, right = JOINT_NAMES.index("left_shoulder"), JOINT_NAMES.index("right_shoulder")
    angles = []
    for camera in (1, 2, 3):
        raw = parse_clip(clip_file(ClipName(1, camera, 1, 1, 8), SMALL), "clip")
        across = (raw.joints[0, 0, right] - raw.joints[0, 0, left])[[0, 2]]
        angles.append(np.degrees(np.arctan2(across[1], across[0])))
    assert abs(angles[1]) < 30
    assert angles[0] < angles[1] - 15
    assert angles[2] > angles[1] + 15


def test_people_differ_in_body_and_habits() -> None:
    people = [performer(subject, seed=1) for subject in range(1, 9)]
    assert len({body.leg for body, _ in people}) == 8
    assert len({habit.tempo for _, habit in people}) == 8
    assert performer(3, seed=1) == people[2]


def test_every_broken_file_is_refused_for_another_reason() -> None:
    reasons = set()
    for name, content in broken_files(SMALL):
        if name == "calibration.skeleton":
            assert parse_clip(content, name).frames >= SMALL.frames[0]
            continue
        with pytest.raises(DataError) as caught:
            parse_clip(content, name)
        assert name in str(caught.value)
        reasons.add(str(caught.value).partition(name)[2])
    assert len(reasons) == 4
