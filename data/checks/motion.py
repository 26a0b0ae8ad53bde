"""Checks of movement: nothing moves, frames repeat, the body jumps, or the frame rate fits no person.

What can be seen of a frame rate is little. The rate of the wrists (see `_wrist_rate`) has no unit of length. At the
right frame rate it was 2.7 to 13 a second in 99.5 % of MSR-Action3D (18 in one clip) and 1.8 to 11 in the samples. So a
clip that is said to have four times its frames a second is mostly found, a calm one is not; twice the frames are found
in a quarter of the clips of MSR-Action3D; and of a fourth or half of the frames next to nothing is found, because a
person who moves slowly is no mistake.
"""

from collections.abc import Iterator

import numpy as np

from data.checks.finding import Finding
from data.checks.moments import Moments, middle
from data.joints import JOINT_NAMES, SPINE_BASE

FEWEST_MOMENTS = 8  # of a clip whose movement is looked at
STILL = 0.08  # bones, 2 cm in an adult; the least move of a joint was 34 cm in MSR-Action3D, 54 cm in the samples
REPEATED = 0.3  # share of frames; 0.03 at most in MSR-Action3D, 0.01 in the samples
JUMP = 16.0  # bones a second, 4 m/s in an adult; the middle speed of the pelvis was 0.9 m/s at most
WRIST_RATES = (1.0, 13.5)  # a second; see above
WRIST_MOVES = 0.3  # bones, 7 cm in an adult; when the wrists move less, their rate is that of noise
LONGEST_S = 20.0  # of a clip in which slowness is looked for: in long ones the place drifts

_WRISTS = [JOINT_NAMES.index(f"{side}_wrist") for side in ("left", "right")]
_SHOULDERS = [JOINT_NAMES.index(f"{side}_shoulder") for side in ("left", "right")]
_ASK_FPS = "Check the frames a second of the recording"


def length_findings(frames: int, longest_frames: int | None) -> Iterator[Finding]:
    """Find a clip that is longer than any of the training."""
    if longest_frames is not None and frames > longest_frames:
        yield Finding(
            "length",
            f"The clip has {frames} frames, where the longest of the training has {longest_frames}.",
            "Cut the recording into one clip an action, or check its frames a second.",
        )


def motion_findings(moments: Moments) -> Iterator[Finding]:
    """Find a frozen body, repeated frames, a body that jumps, and a frame rate that fits no person."""
    if len(moments.joints) < FEWEST_MOMENTS:
        return
    moved = float(np.ptp(moments.joints, axis=0).max())
    if moved < STILL * moments.bone:
        yield Finding(
            "frozen",
            f"No joint moves by more than {moved:.3g} m in the whole clip.",
            "Check that each frame holds its own joints; a clip of one repeated frame shows no action.",
        )
        return
    step = moments.following - moments.joints  # (F, V, 3)
    repeated = float(1 - step.any(axis=(1, 2)).mean())
    if repeated >= REPEATED:
        yield Finding(
            "repeated frames",
            f"{repeated:.0%} of the frames are copies of the frame before.",
            f"{_ASK_FPS}, and leave the copies out: it seems to have been saved at a higher frame rate than it has.",
        )
    speed = middle(np.sqrt((step[:, SPINE_BASE] ** 2).sum(axis=1)) / moments.step_s)  # a second
    if speed > JUMP * moments.bone:
        yield Finding(
            "jumps",
            f"The hips move by {speed:.3g} m/s in most frames, where a person in front of a sensor moves by less than "
            "2 m/s.",
            "Check that the frames are in order and hold one person each, and that the axes of the array are those of "
            "frames and joints.",
        )
        return
    yield from _rate_findings(moments, step)


def _rate_findings(moments: Moments, step: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Iterator[Finding]:
    """Find wrists that move too fast or too slowly for a person.

    The rate is the root mean square speed of both wrists from their shoulders, divided by the root mean square distance
    from their mean place. For a swing it is the angular frequency: 6.3 for one swing a second.
    """
    wrists = moments.joints[:, _WRISTS] - moments.joints[:, _SHOULDERS]  # (F, 2, 3)
    away = wrists - wrists.mean(axis=0)
    moves = float(np.sqrt((away * away).sum() / len(away) / 2))
    if moves < WRIST_MOVES * moments.bone:
        return
    speeds = (step[:, _WRISTS] - step[:, _SHOULDERS]) / moments.step_s[:, None, None]
    speed = float(np.sqrt((speeds * speeds).sum() / len(speeds) / 2))
    rate, (slowest, fastest) = speed / moves, WRIST_RATES
    if rate > fastest:
        yield Finding(
            "frame rate",
            f"The wrists move too fast: their speed is {rate:.3g} times their reach a second, where {fastest:g} is a "
            "person's limit.",
            f"{_ASK_FPS}: it seems to be lower than was said.",
        )
    elif rate < slowest and moments.duration_s < LONGEST_S:
        yield Finding(
            "frame rate",
            f"The wrists move too slowly: their speed is {rate:.3g} times their reach a second, where a person's is "
            f"at least {slowest:g}.",
            f"{_ASK_FPS}: it seems to be higher than was said.",
        )
