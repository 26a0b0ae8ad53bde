"""The size of bodies in prepared clips: whether coordinates can be in metres. data/checks/findings.py checks raw clips.

The recipes take out place and direction, but not the size: a network that was trained on metres answers clips in
millimetres like any others, and wrongly. Letters: T frames, V = 25 joints, M = 2 bodies.
"""

import numpy as np
from numpy.typing import NDArray

PERSON_M = (0.25, 5.2)  # half and twice the sizes of tracked people, so that no person is outside


def body_sizes_m(joints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the largest extent along an axis of each body (n, V, 3): (n,).

    Absent joints (zero) don't count; a body without a joint has size 0.
    """
    present = (joints != 0).any(axis=-1, keepdims=True)  # (n, V, 1)
    most, least = (np.where(present, joints, other) for other in (-np.inf, np.inf))
    with np.errstate(over="ignore", invalid="ignore"):
        extent = most.max(axis=1).astype(np.float64) - least.min(axis=1)  # (n, 3)
    sizes_m: NDArray[np.float64] = np.where(present.any(axis=1), extent, 0).max(axis=1)
    return sizes_m


def median_size_m(sizes_m: NDArray[np.float64]) -> float:
    """Return the median of the sizes (n,) of bodies that are there; 0 when there is none."""
    there = sizes_m[sizes_m > 0]
    return float(np.median(there)) if len(there) else 0.0


def wrong_size(sizes_m: NDArray[np.float64]) -> str:
    """Return what is wrong with bodies of these sizes (n,), as the middle of a sentence; "" when they can be in metres.

    Nothing is said of clips without a body.
    """
    median_m, (least_m, most_m) = median_size_m(sizes_m), PERSON_M
    if not median_m or least_m <= median_m <= most_m:
        return ""
    return (
        f"the bodies of these clips measure {median_m:.4g} m from end to end (the median), which is no person's size: "
        "coordinates must be in metres"
    )


def clip_warnings(clip: NDArray[np.float32]) -> tuple[str, ...]:
    """Return what is implausible about a normalised clip (3, T, V, M), a sentence each.

    Only the first body counts: a recipe puts the largest one there, and the other may be a sensor's mistake.
    """
    size_m, (least_m, most_m) = clip_size_m(clip[..., 0]), PERSON_M
    if least_m <= size_m <= most_m:
        return ()
    return (
        f"the body measures {size_m:.4g} m from end to end, where a person measures {least_m} to {most_m} m: the "
        "coordinates seem not to be in metres, and then this answer means nothing",
    )


def clip_size_m(body: NDArray[np.float32]) -> float:
    """Return the size of a normalised body (3, T, V): the median over the frames that hold it."""
    return median_size_m(body_sizes_m(body.transpose(1, 2, 0)))
