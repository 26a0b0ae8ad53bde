"""A clip whose body is no person's size is told, in whatever units it is; people of all sizes are not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.clean.bodies import clean
from data.clean.body_size import clip_size_m, clip_warnings
from data.clip_name import ClipName
from data.raw.skeleton_file import format_clip, parse_clip
from data.stores.skeleton_store import loop_clip
from pipeline.demo.made_clips import MadeDataset, clip_joints

Joints = NDArray[np.float32]


def person(metres: float = 1.0, bodies: int = 1) -> Joints:
    """A made person scaled by `metres`: (T, M, V, 3)."""
    dataset = MadeDataset((1,), subjects=1, replications=1, frames=(20, 20), seed=3)
    joints = clip_joints(ClipName(1, 1, 1, 1, 1), dataset, np.random.default_rng(0))[:, None]
    return (metres * np.repeat(joints, bodies, axis=1)).astype(np.float32)


def normalised(joints: Joints) -> Joints:
    """The clip (3, 30, V, 2) that a network gets."""
    found = clean(parse_clip(format_clip(joints), "clip"), "shift-gcn")
    clip = np.zeros((3, 30, 25, 2), np.float32)
    loop_clip(found.joints, found.period, found.centre, clip)
    return clip


@pytest.mark.parametrize("size", [0.3, 1.0, 2.0])
def test_people_are_people(size: float) -> None:
    assert clip_warnings(normalised(person(size))) == ()


@pytest.mark.parametrize("size", [1e-3, 0.05, 10, 100, 1000])
def test_other_units_are_told_with_the_size_that_was_found(size: float) -> None:
    clip = normalised(person(size))
    (warning,) = clip_warnings(clip)
    assert f"measures {clip_size_m(clip[..., 0]):.4g} m" in warning
    assert "not to be in metres" in warning


def test_the_size_is_that_of_the_raw_body_and_frames_without_it_do_not_count() -> None:
    joints = person()
    tall = float(np.median(np.ptp(joints[:, 0], axis=1).max(axis=1)))
    joints[4:15] = 0
    assert clip_size_m(normalised(joints)[..., 0]) == pytest.approx(tall, rel=0.1)


def test_a_speck_beside_a_person_is_a_mistake_of_the_sensor() -> None:
    joints = person(bodies=2)
    joints[:, 1] *= 0.01
    assert clip_warnings(normalised(joints)) == ()


def test_a_body_in_one_point_is_told() -> None:
    assert "measures 0 m" in clip_warnings(normalised(np.ones_like(person())))[0]
