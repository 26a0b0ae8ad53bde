"""The size of bodies: whether coordinates can be in metres. V = 25 joints."""

import numpy as np
from numpy.typing import NDArray

PLAUSIBLE_M = (0.25, 5.2)  # half of a crouching child to twice a tall adult with raised hands


def body_sizes_m(joints: NDArray[np.float32]) -> NDArray[np.float64]:
    """The largest extent along an axis of each body (n, V, 3): (n,).

    Absent joints (zero) don't count; a body without a joint has size 0.
    """
    present = (joints != 0).any(axis=-1, keepdims=True)  # (n, V, 1)
    most, least = (np.where(present, joints, other) for other in (-np.inf, np.inf))
    extent = most.max(axis=1).astype(np.float64) - least.min(axis=1)  # (n, 3)
    sizes_m: NDArray[np.float64] = np.where(present.any(axis=1), extent, 0).max(axis=1)
    return sizes_m


def wrong_size(sizes_m: NDArray[np.float64]) -> str:
    """What is wrong with bodies of these sizes (n,), as the middle of a sentence; "" when they can be in metres."""
    sizes_m = sizes_m[sizes_m > 0]
    median_m = float(np.median(sizes_m)) if len(sizes_m) else 1.0
    least_m, most_m = PLAUSIBLE_M
    if least_m <= median_m <= most_m:
        return ""
    return (
        f"the bodies of these clips measure {median_m:.4g} m from end to end (the median), which is no person's size: "
        "coordinates must be in metres"
    )
