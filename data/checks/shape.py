"""Checks of a body's shape: its size, whether it is flat, and the lengths of its bones.

Letters: V = 25 joints, F moments.
"""

from collections.abc import Iterator

import numpy as np

from data.checks.finding import Finding
from data.checks.joint_orders import fitting_order
from data.checks.moments import BONE_CHILDREN, BONE_PARENTS, SHOULDERS_TO_HEAD, TORSO, Moments, positive
from data.checks.proportions import LEAST, MOST, part_name
from data.joints import BONES, JOINT_NAMES

# Torso: spine base to spine shoulder. Measured in metres: 0.38 to 0.56 in MSR-Action3D, 0.33 to 0.55 in the samples.
# A child of 1 m has 0.30.
TORSO_M = (0.27, 0.8)
USUAL_TORSO_M = 0.45
UNITS = {  # what coordinates seem to be -> how much larger than metres they are then
    "in millimetres": 1000.0,
    "in centimetres": 100.0,
    "in inches": 39.37,
    "millimetres that were taken for centimetres": 10.0,
    "in feet, or centimetres that were taken for inches": 2.9,
    "centimetres that were taken for millimetres": 0.1,
    "metres that were taken for centimetres": 0.01,
    "metres that were taken for millimetres": 0.001,
}
FLAT = (
    0.01  # smallest over largest extent of the body in a frame, the most of all frames; 0.14 or more in all real clips
)
UNSTEADY = 0.4  # the middle change of a long bone, as a share of it; 0.06 in MSR-Action3D, 0.17 in the samples at most
NECK = 1.1  # neck to head as a share of spine shoulder to head; 1 in MediaPipe, which has no neck, else 0.7 at most
HEAD_BONE = next(bone for bone, (_, child) in enumerate(BONES) if JOINT_NAMES[child] == "head")
LONG_PARTS = ("elbow", "wrist", "knee", "ankle")
LONG_BONES = np.flatnonzero([JOINT_NAMES[child].endswith(LONG_PARTS) for child in BONE_CHILDREN])


def shape_findings(moments: Moments) -> Iterator[Finding]:
    """Find a body of no person's size, one without depth, and bones that are not a body's."""
    torso_m = float(moments.medians[TORSO]) if moments.has("spine_base", "spine_shoulder") else USUAL_TORSO_M
    sized = TORSO_M[0] <= torso_m <= TORSO_M[1]
    shown = moments.joints if moments.complete else moments.joints[:, moments.present]  # (3, V, F)
    extents = np.ptp(shown, axis=1).max(axis=1)  # (3,)
    flat = bool(extents.min() < FLAT * extents.max())
    wrong_bones = "" if flat else _wrong_bones(moments)
    if not sized and not wrong_bones:
        yield _size(torso_m)
    if flat:
        axis = "xyz"[int(extents.argmin())]
        yield Finding(
            "flat",
            f"The body is flat: its extent in {axis} is {extents.min() / extents.max():.2g} of its largest extent.",
            "The coordinates seem to be two-dimensional; lift them to three dimensions first, since nothing here can "
            "be told from two.",
        )
    elif sized and shown[2].min() >= 0 and shown[2].max() <= 1:  # from 1.4 m on in real clips of sensors
        yield Finding(
            "depth",
            f"All z are between 0 and 1 (from {shown[2].min():.2g} to {shown[2].max():.2g}), but a sensor "
            "sees no whole person who is nearer than 1 m.",
            "Check that the third number of each joint is its depth in metres, and no confidence.",
        )
    if wrong_bones:
        fits = fitting_order(moments)
        advice = (
            f"The order of the joints seems to be {fits}: name the layout of the recording, or bring the joints to "
            "NTU's order."
            if fits
            else "Check the order of the joints and of the array's axes (frames, bodies, joints, x y z)."
        )
        yield Finding("order", wrong_bones, advice)


def _size(torso_m: float) -> Finding:
    factor = max(torso_m, 1e-12) / USUAL_TORSO_M
    unit = next((unit for unit, in_a_metre in UNITS.items() if 0.68 < factor / in_a_metre < 1.4), "")
    too = f"too large by a factor of about {factor:.2g}" if factor > 1 else f"too small by about {1 / factor:.2g}"
    return Finding(
        "size",
        f"The torso measures {torso_m:.3g} m, which is no person's size ({TORSO_M[0]:g} to {TORSO_M[1]:g} m).",
        f"Coordinates must be in metres; these {f'seem to be {unit}' if unit else f'are {too}'}. Change them, or "
        "give their unit as unit_m in a layout of your own.",
    )


def _wrong_bones(moments: Moments) -> str:
    """Say which bone has no body's length, or changes it from frame to frame; "" when none does."""
    lengths, medians = moments.lengths[: len(BONES)], moments.medians[: len(BONES)]
    there = moments.present[BONE_PARENTS] & moments.present[BONE_CHILDREN]  # (24,)
    shares = medians / moments.bone
    wrong = there & ((shares < LEAST) | (shares > MOST))
    if wrong.any():
        worst = int(np.where(wrong, np.maximum(LEAST / positive(shares), shares / MOST), 0).argmax())
        return (
            f"{int(wrong.sum())} bones have no body's proportions: the {part_name(worst)} measures {shares[worst]:.2f} "
            f"of the body's middle bone, where {LEAST[worst]:g} to {MOST[worst]:g} is a person's."
        )
    usual = medians[LONG_BONES]
    change = np.sort(np.abs(lengths[LONG_BONES] - usual[:, None]), axis=1)[:, lengths.shape[1] // 2]
    unsteady = np.where(there[LONG_BONES], change / positive(usual), 0)
    if unsteady.max() > UNSTEADY:
        worst = int(unsteady.argmax())
        return (
            f"The {part_name(int(LONG_BONES[worst]))} changes its length by {unsteady[worst]:.0%} in half of the "
            "frames, where a person's bones keep theirs."
        )
    neck_m, shoulders_m = medians[HEAD_BONE], moments.medians[SHOULDERS_TO_HEAD]
    if neck_m > NECK * shoulders_m and moments.has("head", "neck", "spine_shoulder"):
        return f"The neck is {neck_m:.3g} m from the head, farther than the spine shoulder ({shoulders_m:.3g} m)."
    return ""
