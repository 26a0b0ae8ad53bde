"""The 25 joints of a Kinect v2 skeleton in the order of NTU RGB+D files, and the bones that connect them."""

JOINT_NAMES = (
    "spine_base",
    "spine_mid",
    "neck",
    "head",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_hand",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_hand",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_foot",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_foot",
    "spine_shoulder",
    "left_hand_tip",
    "left_thumb",
    "right_hand_tip",
    "right_thumb",
)
NUM_JOINTS = len(JOINT_NAMES)
KINECT_FPS = 30.0  # frames a second of a Kinect v2, and so of NTU RGB+D

SPINE_BASE = JOINT_NAMES.index("spine_base")
SPINE_MID = JOINT_NAMES.index("spine_mid")
LEFT_SHOULDER = JOINT_NAMES.index("left_shoulder")
RIGHT_SHOULDER = JOINT_NAMES.index("right_shoulder")

_PARENTS = {
    "spine_mid": "spine_base",
    "spine_shoulder": "spine_mid",
    "neck": "spine_shoulder",
    "head": "neck",
    "left_shoulder": "spine_shoulder",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "left_hand": "left_wrist",
    "left_hand_tip": "left_hand",
    "left_thumb": "left_wrist",
    "right_shoulder": "spine_shoulder",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "right_hand": "right_wrist",
    "right_hand_tip": "right_hand",
    "right_thumb": "right_wrist",
    "left_hip": "spine_base",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "left_foot": "left_ankle",
    "right_hip": "spine_base",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "right_foot": "right_ankle",
}
# (parent, child) pairs from the spine base outwards. They form a tree: a bone to a joint precedes those from it.
BONES = tuple((JOINT_NAMES.index(parent), JOINT_NAMES.index(child)) for child, parent in _PARENTS.items())
