"""The made actions: a movement moves the limb that it names, in the manner that it names."""

import numpy as np
import pytest

from data.joints import JOINT_NAMES, SPINE_BASE
from pipeline.demo.made_actions import ACTIONS, ARM_MOVEMENTS, BODY_MOVEMENTS, LIMBS, Movement, Style, perform
from pipeline.demo.made_body import Array, pose_joints, proportions

TIPS = {
    "right hand": "right_wrist",
    "left hand": "left_wrist",
    "right foot": "right_ankle",
    "left foot": "left_ankle",
    "trunk": "head",
}
DIRECTION = {"swing": 0, "raise": 1, "push": 2}  # the axis along which a manner moves: x, y or z


def tips(*movements: Movement, seed: int = 3) -> dict[str, Array]:
    """End -> its positions (T, 3) in two seconds of `movements`, without the rest at the beginning and the end."""
    joints = pose_joints(perform(movements, 76, Style(), np.random.default_rng(seed)), proportions(1.7))[8:-8]
    return {end: joints[:, JOINT_NAMES.index(joint)] for end, joint in TIPS.items()}


def spread(track: Array) -> float:
    return float(np.linalg.norm(track.std(axis=0)))


def test_every_pair_of_movements_is_an_action_once() -> None:
    assert len(ACTIONS) == len(set(ACTIONS)) == len(ARM_MOVEMENTS) * len(BODY_MOVEMENTS) == 25


@pytest.mark.parametrize("movement", [*ARM_MOVEMENTS, *BODY_MOVEMENTS], ids=" ".join)
def test_the_named_limb_moves_and_the_others_hardly_do(movement: Movement) -> None:
    limb, manner = movement
    tracks = tips(movement)
    moving = [spread(tracks[end]) for end in LIMBS[limb]]
    still = [spread(track) for end, track in tracks.items() if end not in LIMBS[limb] and "foot" in end]
    if limb != "trunk":  # hands hang from the trunk and move with it
        still += [spread(track) for end, track in tracks.items() if end not in LIMBS[limb] and "hand" in end]
    assert min(moving) > 0.05
    assert min(moving) > 2 * max(still)
    if manner in DIRECTION:
        for end in LIMBS[limb]:
            deviation = tracks[end].std(axis=0)
            assert deviation.argmax() == DIRECTION[manner], (end, deviation)


def test_shaking_is_small_and_fast_and_circling_is_round() -> None:
    def turns(track: Array) -> int:
        """How often the motion along x changes its direction."""
        speed = np.diff(track[:, 0])
        return int((speed[1:] * speed[:-1] < 0).sum())

    shake, circle = (tips(("left arm", manner))["left hand"] for manner in ("shake", "circle"))
    assert turns(shake) >= 3 * turns(circle)
    assert spread(shake) < 0.5 * spread(circle)
    across, up = (circle - circle.mean(axis=0)).T[:2]
    assert np.std(across) == pytest.approx(np.std(up), rel=0.3)
    assert abs(np.corrcoef(across, up)[0, 1]) < 0.3


def test_two_movements_go_on_at_the_same_time_and_leave_each_other_alone() -> None:
    tracks = tips(("left arm", "circle"), ("right leg", "push"))
    assert spread(tracks["left hand"]) > 0.1
    assert spread(tracks["right foot"]) > 0.1
    assert spread(tracks["right hand"]) < 0.05
    assert spread(tracks["left foot"]) < 0.02


def test_a_performance_begins_and_ends_at_rest() -> None:
    still = pose_joints(perform([], 60, Style(), np.random.default_rng(0)), proportions(1.7))
    for action in ACTIONS:
        joints = pose_joints(perform(action, 60, Style(), np.random.default_rng(0)), proportions(1.7))
        for frame in (0, -1):
            assert np.abs(joints[frame] - still[frame]).max() < 0.15
        assert np.abs(joints[:, SPINE_BASE, 0]).max() < 1e-9


def test_style_changes_pace_size_and_sense() -> None:
    action = (("right arm", "circle"),)

    def hand(style: Style) -> Array:
        return perform(action, 90, style, np.random.default_rng(1))["right hand"][12:-12]

    usual = hand(Style())
    assert spread(hand(Style(amplitude=1.3))) == pytest.approx(1.3 * spread(usual), rel=0.05)
    quick, other = hand(Style(tempo=1.5)), hand(Style(direction=-1.0))
    assert np.abs(np.diff(quick, axis=0)).mean() == pytest.approx(1.5 * np.abs(np.diff(usual, axis=0)).mean(), rel=0.1)
    sense = [np.cross(np.diff(track, axis=0)[:-1], np.diff(track, axis=0)[1:])[:, 2].mean() for track in (usual, other)]
    assert sense[0] * sense[1] < 0
