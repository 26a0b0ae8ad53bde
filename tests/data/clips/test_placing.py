"""Bodies are turned to the camera, and mirrored films set right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.clips.placing import to_face_camera, unmirrored
from data.joints import JOINT_NAMES
from tests.data.layouts.made_recordings import person


def turned(joints: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    """`joints` turned about the vertical axis."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    return np.asarray(joints @ rotation, np.float32)


@given(st.floats(-180, 180))
def test_a_body_comes_to_face_the_camera_wherever_it_looks(degrees: float) -> None:
    standing = person(5)[:, None]  # (T, 1, V, 3)
    facing, by_degrees = to_face_camera(turned(standing, degrees))
    upright, _ = to_face_camera(standing)
    np.testing.assert_allclose(facing, upright, atol=1e-5)
    across = facing[0, 0, JOINT_NAMES.index("right_shoulder")] - facing[0, 0, JOINT_NAMES.index("left_shoulder")]
    assert across[0] > 0
    assert abs(across[2]) < 0.05
    assert -180 <= by_degrees <= 180


def test_a_body_that_lies_and_frames_without_shoulders_are_left() -> None:
    lying = person(3)[:, None][..., [1, 0, 2]] * np.array([1, 1, 1], np.float32)  # x is up: the sides are not level
    assert np.array_equal(to_face_camera(lying)[0], lying)
    absent = np.full((3, 1, 25, 3), np.nan, np.float32)
    assert to_face_camera(absent)[1] == 0
    late = turned(person(4)[:, None], 90)
    late[:2] = np.nan
    assert abs(to_face_camera(late)[1]) == pytest.approx(90, abs=10)


def test_mirroring_twice_changes_nothing_and_once_exchanges_sides() -> None:
    joints = person(4)[:, None]
    mirrored = unmirrored(joints)
    assert np.array_equal(unmirrored(mirrored), joints)
    left, right = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")
    np.testing.assert_array_equal(mirrored[..., left, 0], -joints[..., right, 0])
    np.testing.assert_array_equal(mirrored[..., left, 1:], joints[..., right, 1:])


def test_a_person_is_turned_who_is_not_the_first_of_the_recording() -> None:
    later = turned(person(4)[:, None], 180)
    joints = np.concatenate([np.full_like(later, np.nan), later], axis=1)  # (T, 2, V, 3): the first body has left
    facing, degrees = to_face_camera(joints)
    assert abs(degrees) == pytest.approx(180, abs=10)
    np.testing.assert_array_equal(facing[:, 1:], to_face_camera(later)[0])
