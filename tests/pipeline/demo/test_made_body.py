"""The made body: bones keep their lengths, sides mirror, and the person faces the camera."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.joints import BONES, JOINT_NAMES
from pipeline.demo.made_actions import ACTIONS, Style, perform
from pipeline.demo.made_body import Array, pose_joints, proportions

JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}


def standing(frames: int = 4, **ends: tuple[float, float, float]) -> dict[str, Array]:
    """The pose of a body at rest, with the given `ends` elsewhere; their names have _ in place of the space."""
    rest = {"right_hand": (0.1, -0.95, 0.1), "left_hand": (-0.1, -0.95, 0.1), "trunk": (0.0, 0.0, 0.005)}
    rest |= {"right_foot": (0.0, -0.99, 0.0), "left_foot": (0.0, -0.99, 0.0)}
    return {name.replace("_", " "): np.tile(point, (frames, 1)) for name, point in (rest | ends).items()}


@settings(max_examples=25, deadline=None)
@given(
    action=st.sampled_from(ACTIONS),
    stature_m=st.floats(1.4, 2.0),
    amplitude=st.floats(0.5, 1.5),
    seed=st.integers(0, 1000),
)
def test_bones_keep_their_lengths(
    action: tuple[tuple[str, str], tuple[str, str]], stature_m: float, amplitude: float, seed: int
) -> None:
    pose = perform(action, 40, Style(amplitude=amplitude), np.random.default_rng(seed))
    joints = pose_joints(pose, proportions(stature_m))
    assert np.isfinite(joints).all()
    for parent, child in BONES:
        if JOINT_NAMES[child].endswith("thumb"):  # it is placed beside the hand
            continue
        lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=1)
        assert lengths == pytest.approx(lengths[0], rel=1e-6), (JOINT_NAMES[parent], JOINT_NAMES[child])
        assert 0.02 < lengths[0] < 0.6


def test_a_standing_person_is_as_tall_as_asked_and_faces_the_camera() -> None:
    joints = pose_joints(standing(), proportions(1.70))[0]  # (25, 3)
    assert joints[JOINT["head"], 1] == pytest.approx(1.6, abs=0.1)  # the head joint is its middle
    assert joints[[JOINT["left_foot"], JOINT["right_foot"]], 1] == pytest.approx(0.0, abs=0.06)
    assert (joints[[JOINT["left_foot"], JOINT["right_foot"]], 2] < -0.1).all()  # toes point at the camera
    for part in ("shoulder", "hip", "hand", "knee", "foot"):
        assert joints[JOINT[f"right_{part}"], 0] > 0 > joints[JOINT[f"left_{part}"], 0]
    mirrored = joints * [-1, 1, 1]
    for name, index in JOINT.items():
        other = name.replace("left_", "*").replace("right_", "left_").replace("*", "right_")
        assert mirrored[index] == pytest.approx(joints[JOINT[other]], abs=1e-9), name


def test_hands_and_feet_go_where_the_pose_says() -> None:
    body = proportions(1.80)
    joints = pose_joints(standing(right_hand=(0.2, 0.5, 0.6), left_foot=(-0.1, -0.7, 0.3)), body)[0]
    wrist = joints[JOINT["right_wrist"]] - joints[JOINT["right_shoulder"]]
    assert wrist == pytest.approx(body.arm * np.array([0.2, 0.5, -0.6]), abs=1e-9)
    ankle = joints[JOINT["left_ankle"]] - joints[JOINT["left_hip"]]
    assert ankle == pytest.approx(body.leg * np.array([-0.1, -0.695, -0.3]), abs=1e-9)  # the pelvis sinks by 0.005


def test_a_target_out_of_reach_stretches_the_limb_towards_it() -> None:
    body = proportions(1.70)
    joints = pose_joints(standing(right_hand=(0.0, 0.0, 3.0)), body)[0]
    wrist = joints[JOINT["right_wrist"]] - joints[JOINT["right_shoulder"]]
    assert np.linalg.norm(wrist) == pytest.approx(body.arm, rel=0.01)
    assert wrist[2] == pytest.approx(-body.arm, rel=0.01)


def test_leaning_moves_the_head_and_leaves_the_hips() -> None:
    upright, right, forward = (
        pose_joints(standing(trunk=(lean, bow, 0.005)), proportions(1.70))[0]
        for lean, bow in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5))
    )
    assert right[JOINT["head"], 0] > 0.2
    assert forward[JOINT["head"], 2] < -0.2
    for leaning in (right, forward):
        assert leaning[JOINT["head"], 1] < upright[JOINT["head"], 1]
        assert leaning[JOINT["left_hip"]] == pytest.approx(upright[JOINT["left_hip"]])
