"""Checks for joints that are missing, or that are copies of another."""

from collections.abc import Iterator, Sequence

import numpy as np

from data.checks.finding import Finding
from data.checks.joint_orders import fitting_order
from data.checks.moments import Moments
from data.joints import JOINT_NAMES

NAMED_JOINTS = 4
# Layouts with fewer joints fill these with a copy of a neighbour: a Kinect v1 has no hand tips and thumbs, SMPL no
# hands, MediaPipe no neck, Human3.6M no feet.
_MAY_BE_EQUAL = (
    ("neck", "spine_shoulder", "head"),
    *((f"{side}_wrist", f"{side}_hand", f"{side}_hand_tip", f"{side}_thumb") for side in ("left", "right")),
    *((f"{side}_ankle", f"{side}_foot") for side in ("left", "right")),
)
_ONE, _OTHER = np.array(
    [
        (one, other)
        for other, name in enumerate(JOINT_NAMES)
        for one in range(other)
        if not any(name in group and JOINT_NAMES[one] in group for group in _MAY_BE_EQUAL)
    ]
).T


def gap_findings(moments: Moments) -> Iterator[Finding]:
    """Find joints that are zero in most moments, and joints that are where another one is.

    Measured: no joint of MSR-Action3D and the samples is zero in a frame that holds the body.
    """
    absent = [] if moments.complete else [JOINT_NAMES[joint] for joint in np.flatnonzero(~moments.present)]
    if absent:
        yield Finding(
            "absent joints",
            f"{len(absent)} of {len(JOINT_NAMES)} joints are zero in most frames: {_listed(absent)}.",
            _fill(moments, absent),
        )
    if not (moments.joints[0, _ONE, 0] == moments.joints[0, _OTHER, 0]).any():
        return
    frames = moments.joints[:, :, :: max(1, moments.joints.shape[2] // 4)]
    same = (frames[:, _ONE] == frames[:, _OTHER]).all(axis=(0, 2))  # (pairs,)
    if same.any():
        pairs = [
            f"{_words(one)} and {_words(other)}"
            for one, other in ((JOINT_NAMES[_ONE[pair]], JOINT_NAMES[_OTHER[pair]]) for pair in np.flatnonzero(same))
            if moments.has(one, other)
        ]
        if pairs:
            yield Finding(
                "equal joints",
                f"{len(pairs)} pairs of joints are at the same place: {_listed(pairs)}.",
                "Check the order of the joints, and what fills the joints that the recording lacks.",
            )


def _fill(moments: Moments, absent: Sequence[str]) -> str:
    if absent[0] in ("spine_base", "spine_mid") and len(absent) == 1:
        return "If this joint is the origin of the coordinates, add 3 m to all z, because zero means absent."
    if fits := fitting_order(moments):
        return f"The order of the joints seems to be {fits}: name the layout of the recording."
    return (
        "Fill each joint from its neighbours (a hand from the wrist, a foot from the ankle), or name the layout of the "
        "recording."
    )


def _listed(names: Sequence[str]) -> str:
    named = ", ".join(_words(name) for name in names[:NAMED_JOINTS])
    return f"{named} and {len(names) - NAMED_JOINTS} more" if len(names) > NAMED_JOINTS else named


def _words(name: str) -> str:
    return name.replace("_", " ")
