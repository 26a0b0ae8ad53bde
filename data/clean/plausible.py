"""Tells clips that can't be of a person in metres: by their size, once they are normalised.

The recipes take out place and direction, but not the size: a network that was trained on metres answers clips in
millimetres like any others, and wrongly. Letters: T frames, V = 25 joints, M = 2 bodies.
"""

import numpy as np
from numpy.typing import NDArray

PERSON_M = (0.25, 5.2)  # half and twice the sizes of tracked people, so that no person is outside


def clip_warnings(clip: NDArray[np.float32]) -> tuple[str, ...]:
    """Returns what is implausible about a normalised clip (3, T, V, M), a sentence each.

    Only the first body counts: a recipe puts the largest one there, and the other may be a sensor's mistake.
    """
    shortest, longest = PERSON_M
    size = body_size(clip[..., 0])
    if shortest <= size <= longest:
        return ()
    return (
        f"the body measures {size:.4g} m from end to end, where a person measures {shortest} to {longest} m: the "
        "coordinates seem not to be in metres (millimetres? centimetres?), and then this answer means nothing",
    )


def body_size(body: NDArray[np.float32]) -> float:
    """Returns the longest extent along an axis of a normalised body (3, T, V): the median over frames that hold it.

    Joints at zero are absent, but for the spine mid of the first body, which is inside of it.
    """
    there: NDArray[np.bool_] = np.any(body != 0, axis=0)  # (T, V)
    with np.errstate(over="ignore"):
        extent = np.where(there, body, -np.inf).max(axis=2) - np.where(there, body, np.inf).min(axis=2)  # (3, T)
    seen: NDArray[np.bool_] = np.any(there, axis=1)  # (T,)
    return float(np.median(extent.max(axis=0)[seen])) if seen.any() else 0.0
