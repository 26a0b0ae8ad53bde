from data.joints import (
    BONES,
    JOINT_NAMES,
    LEFT_SHOULDER,
    NUM_JOINTS,
    RIGHT_SHOULDER,
    SPINE_BASE,
    SPINE_MID,
)


def test_the_joints_have_the_indices_of_the_kinect() -> None:
    assert (SPINE_BASE, SPINE_MID, LEFT_SHOULDER, RIGHT_SHOULDER) == (0, 1, 4, 8)
    assert NUM_JOINTS == len(set(JOINT_NAMES)) == 25
    assert [JOINT_NAMES[index] for index in (3, 7, 11, 20, 21, 24)] == [
        "head", "left_hand", "right_hand", "spine_shoulder", "left_hand_tip", "right_thumb",
    ]  # fmt: skip


def test_the_bones_are_a_tree_from_the_spine_outwards() -> None:
    reached = {SPINE_BASE}
    for parent, child in BONES:
        assert parent in reached
        assert child not in reached
        reached.add(child)
    assert reached == set(range(NUM_JOINTS))
