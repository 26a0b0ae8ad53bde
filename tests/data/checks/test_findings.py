"""Each mistake of a recording is found by its check, and good clips of all people get no finding."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.checks.findings import check_clip
from pipeline.demo.made_actions import ACTIONS, FRAMES_PER_SECOND, Style, perform
from pipeline.demo.made_body import pose_joints, proportions
from tests.data.checks.recording_mistakes import MISTAKES, UNSEEN, Mistake

FRAMES = 84
PLACE = (0.3, -1.0, 3.0)  # of the feet, from the camera
FOUND_BY = {  # the check that must find a mistake, by the first word of its name
    "unit": "size",
    "axes": "up axis",
    "sides": "sides",
    "order": "order",
    "flat": "flat",
    "gaps": "absent joints",
    "array": "order",
}
FOUND_BY_OTHERS = {
    "unit: millimetres from the hips": "absent joints",
    "axes: x reversed": "sides",
    "axes: z reversed": "sides",
    "axes: x and z exchanged": "sides",
    "axes: turned about, back to the camera": "facing",
    "flat: z is a confidence": "depth",
    "flat: image coordinates and confidence": "order",
    "gaps: right arm copied from the left": "equal joints",
    "order: Kinect v1's": "absent joints",
    "array: frames of two people alternate": "jumps",
    "array: frames in random order": "frame rate",
    "time: frozen": "frozen",
    "time: every frame twice": "repeated frames",
    "time: 4 x the frame rate": "frame rate",
}


def made_clip(action: int = 1, stature_m: float = 1.7, turn: float = 0.2, seed: int = 0) -> NDArray[np.float32]:
    """A person (T, 1, V, 3) who performs an action, turned by `turn` radians from the camera."""
    pose = perform(ACTIONS[action], FRAMES, Style(), np.random.default_rng(seed))
    cos, sin = np.cos(turn), np.sin(turn)
    joints = pose_joints(pose, proportions(stature_m)) @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T
    placed: NDArray[np.float32] = (joints + PLACE)[:, None].astype(np.float32)
    return placed


def found(joints: NDArray[np.float32], fps: float = FRAMES_PER_SECOND, longest_frames: int | None = None) -> list[str]:
    return [finding.check for finding in check_clip(joints, fps, longest_frames=longest_frames)]


@settings(max_examples=100, deadline=None)
@given(
    action=st.integers(0, len(ACTIONS) - 1),
    stature_m=st.floats(1.0, 2.1),
    turn=st.floats(-1.4, 1.4),
    move=st.tuples(*(st.floats(-3, 3),) * 3),
)
def test_a_good_clip_has_no_finding(action: int, stature_m: float, turn: float, move: tuple[float, ...]) -> None:
    joints = made_clip(action, stature_m, turn) + np.array(move, np.float32) + np.array([0, 0, 4], np.float32)
    assert check_clip(joints, FRAMES_PER_SECOND, longest_frames=FRAMES) == []


@pytest.mark.parametrize("mistake", [one for one in MISTAKES if one.name not in UNSEEN], ids=lambda one: one.name)
def test_a_mistake_is_found_by_its_check(mistake: Mistake) -> None:
    check = FOUND_BY_OTHERS.get(mistake.name) or FOUND_BY[mistake.name.partition(":")[0]]
    assert check in found(*mistake.made(made_clip(), FRAMES_PER_SECOND))


@pytest.mark.parametrize("mistake", [one for one in MISTAKES if one.name in UNSEEN], ids=lambda one: one.name)
def test_what_may_be_a_slow_person_or_a_quick_one_is_no_mistake(mistake: Mistake) -> None:
    assert found(*mistake.made(made_clip(), FRAMES_PER_SECOND)) == []


def advice(name: str) -> str:
    mistake = next(one for one in MISTAKES if one.name == name)
    return " ".join(finding.advice for finding in check_clip(*mistake.made(made_clip(), FRAMES_PER_SECOND)))


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("unit: millimetres", "seem to be in millimetres"),
        ("unit: centimetres", "seem to be in centimetres"),
        ("unit: inches taken for centimetres", "too small by about 2"),
        ("unit: metres taken for millimetres", "seem to be metres that were taken for millimetres"),
        ("order: arms and legs exchanged", "arms and legs exchanged"),
        ("order: wrists and elbows exchanged", "wrists and elbows exchanged"),
        ("order: Kinect v1's", "Kinect v1's"),
        ("order: MSR-Action3D's", "MSR-Action3D's own"),
        ("order: SMPL's", "SMPL's"),
        ("order: Azure Kinect's", "Azure Kinect's"),
        ("order: Human3.6M's", "Human3.6M's"),
        ("order: OpenPose's BODY_25", "BODY_25"),
        ("order: moved on by one", "the other way"),
        ("gaps: centred at the hips exactly", "add 3 m to all z"),
    ],
)
def test_the_advice_says_what_fits(mistake: str, words: str) -> None:
    assert words in advice(mistake)


@pytest.mark.parametrize(
    "mistake", [one for one in MISTAKES if one.name.startswith("axes:")], ids=lambda one: one.name.partition(": ")[2]
)
def test_axes_that_are_changed_as_advised_are_right(mistake: Mistake) -> None:
    good = made_clip()
    wrong, fps = mistake.made(good, FRAMES_PER_SECOND)
    (finding, *_) = check_clip(wrong, fps)
    match = re.search(r"must become \((-?)([xyz]), (-?)([xyz]), (-?)([xyz])\)", finding.advice)
    assert match, finding
    signs, axes = match.groups()[::2], match.groups()[1::2]
    columns = [wrong[..., "xyz".index(axis)] * (-1 if sign else 1) for sign, axis in zip(signs, axes, strict=True)]
    mended = np.stack(columns, axis=3)
    np.testing.assert_allclose(mended, good, atol=1e-6)


def test_a_clip_longer_than_any_of_the_training_is_named() -> None:
    (finding,) = check_clip(made_clip(), FRAMES_PER_SECOND, longest_frames=FRAMES - 1)
    assert finding.check == "length"
    assert str(FRAMES) in finding.evidence
    assert str(FRAMES - 1) in finding.evidence


@pytest.mark.parametrize(("frames", "said"), [(1, "1 frame,"), (7, "7 frames,"), (8, "")])
def test_a_clip_too_short_for_an_action_is_named(frames: int, said: str) -> None:
    findings = [one for one in check_clip(made_clip()[:frames], FRAMES_PER_SECOND) if one.check == "length"]
    assert [said in one.evidence for one in findings] == [True] * bool(said)


def test_the_evidence_holds_what_was_measured() -> None:
    (finding,) = check_clip(made_clip() * 1000, FRAMES_PER_SECOND)
    torso_mm = 1000 * (proportions(1.7).pelvis_to_mid + proportions(1.7).mid_to_shoulders)
    assert f"measures {torso_mm:.3g} m" in finding.evidence


def test_the_person_who_moves_is_looked_at_and_not_the_chair() -> None:
    chair = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 1, 25, 3)).astype(np.float32) + PLACE
    both = np.concatenate((np.repeat(chair, FRAMES, axis=0), made_clip()), axis=1).astype(np.float32)
    assert found(both) == []


def test_a_body_that_comes_and_goes_is_looked_at_where_it_is() -> None:
    joints = made_clip()
    joints[:20] = joints[50:53] = joints[-9:] = 0
    assert found(joints) == []


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
def test_a_short_clip_has_no_other_mistake(frames: int) -> None:
    assert found(made_clip()[:frames]) == ["length"]


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 3e38], ids=["absent", "one point", "tiny", "huge"])
def test_a_clip_without_a_body_raises_nothing(value: float) -> None:
    assert found(np.full((20, 2, 25, 3), value, np.float32)) == []


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 40), bodies=st.integers(0, 3), power=st.integers(-40, 38))
def test_any_numbers_are_checked_without_an_error(seed: int, frames: int, bodies: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    joints = (rng.normal(size=(frames, bodies, 25, 3)) * 10.0**power).clip(-3e38, 3e38).astype(np.float32)
    joints[rng.random(joints.shape[:3]) < rng.random()] = 0
    for finding in check_clip(joints, 30.0):
        assert finding.evidence.endswith(".")
        assert finding.advice.endswith(".")
