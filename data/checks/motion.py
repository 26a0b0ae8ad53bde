"""Checks of movement: it has no time, nothing moves, frames repeat, the body jumps, or the frame rate fits no person.

What can be seen of a frame rate is little. The acceleration of the wrists (see `_rate_findings`) grows with its square.
At the right frame rate it was at most 39 m/s2 in MSR-Action3D, 23 in the samples and 76 in the clips of the demo, which
are quick and have a sensor's noise. So most clips that are said to have four times their frames a second are found, and
calm ones are not; twice the frames are found in some clips of fast actions only. Too few frames a second are not found,
because they look like a person who moves slowly.
"""

from collections.abc import Iterator

import numpy as np

from data.checks.finding import Finding
from data.checks.moments import MOVING, Moments, length, middle, root_mean_square

FEWEST_MOMENTS = 8  # of a clip whose movement is looked at; the shortest of MSR-Action3D has 13 frames
STILL = 0.08  # bones, 2 cm in an adult; the most that a joint moves is 35 cm or more in all real clips
REPEATED = 0.3  # share of frames; 0.03 at most in MSR-Action3D, 0 in the samples
JUMP = 16.0  # bones a second, 4 m/s in an adult; the middle speed of the hips was 3.2 bones a second at most
ACCELERATION = 280.0  # bones/s2, 70 m/s2 in an adult; see above
WRIST_MOVES = 0.3  # bones, 7 cm in an adult; when the wrists move less, their acceleration is that of noise

_ASK_FPS = "Check the frames a second of the recording"


def length_findings(frames: int, longest_frames: int | None) -> Iterator[Finding]:
    """Find a clip that is too short for a movement, or longer than any of the training."""
    if frames < FEWEST_MOMENTS:
        yield Finding(
            "length",
            f"The clip has {frames} frame{'s' * (frames != 1)}, and fewer than {FEWEST_MOMENTS} show no action.",
            "Check that the recording is whole, and the ends and the frames a second that are given for the clip.",
        )
    if longest_frames is not None and frames > longest_frames:
        yield Finding(
            "length",
            f"The clip has {frames} frames, where the longest of the training has {longest_frames}.",
            "Cut the recording into one clip an action, or check its frames a second.",
        )


def motion_findings(moments: Moments) -> Iterator[Finding]:
    """Find a frozen body, repeated frames, a body that jumps, and a frame rate that fits no person."""
    if len(moments.step_s) < FEWEST_MOMENTS:
        return
    moved = float(np.ptp(moments.joints[:, MOVING], axis=2).max())  # of a few joints first, which is quicker
    if moved < STILL * moments.bone and (moved := float(np.ptp(moments.joints, axis=2).max())) < STILL * moments.bone:
        yield Finding(
            "frozen",
            f"No joint moves by more than {moved:.3g} m in the whole clip.",
            "Check that each frame holds its own joints; a clip of one repeated frame shows no action.",
        )
        return
    repeated = float(1 - moments.steps.any(axis=(0, 1)).mean())
    if repeated >= REPEATED:
        yield Finding(
            "repeated frames",
            f"{repeated:.0%} of the frames are copies of the frame before.",
            f"{_ASK_FPS}, and leave the copies out: it seems to have been saved at a higher frame rate than it has.",
        )
    speed = middle(length(moments.steps[:, -1]) / moments.step_s)  # a second
    if speed > JUMP * moments.bone:
        yield Finding(
            "jumps",
            f"The hips move by {speed:.3g} m/s in most frames, where a person in front of a sensor moves by less than "
            "2 m/s.",
            "Check that the frames are in order and hold one person each, and that the axes of the array are those of "
            "frames and joints.",
        )
        return
    yield from _rate_findings(moments)


def _rate_findings(moments: Moments) -> Iterator[Finding]:
    """Find wrists that accelerate more than a person's.

    The acceleration is estimated as the mean square speed of both wrists from their shoulders, divided by the root mean
    square distance from their mean place: for a swing it is that of a circle. A second difference of positions would be
    mostly a sensor's noise.
    """
    wrists, shoulders = moments.joints[:, MOVING[:2]], moments.joints[:, MOVING[2:4]]
    away = wrists - shoulders  # (3, 2, F)
    away -= away.mean(axis=2, keepdims=True)
    moves = root_mean_square(away)
    if moves < WRIST_MOVES * moments.bone:
        return
    acceleration = root_mean_square((moments.steps[:, :2] - moments.steps[:, 2:4]) / moments.step_s) ** 2 / moves
    most = ACCELERATION * moments.bone
    if acceleration > most:
        yield Finding(
            "frame rate",
            f"The wrists accelerate by about {acceleration:.3g} m/s2, where {most:.2g} m/s2 is a person's limit.",
            f"{_ASK_FPS}, which seem to be fewer than was said, and that the frames are in order.",
        )
