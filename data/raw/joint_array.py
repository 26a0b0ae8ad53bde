"""Joints given as an array, a tensor or nested lists, in one of the two layouts that can't be mistaken.

(T, M, V, 3)  frames, bodies, joints, coordinates; a body that is absent from a frame is zero in it
(T, V, 3)     the same of one body
Anything else is refused, because an axis in another place gives a wrong answer and no error.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import DataError
from data.joints import NUM_JOINTS

MOST_BODIES = 6  # that a Kinect v2 tracks at once; a frame with more is no frame, but bodies or clips in its place
NUMBER_KINDS = "iuf"  # integers, floating point
WANTED = f"(frames, bodies, {NUM_JOINTS}, 3) or, for one body, (frames, {NUM_JOINTS}, 3) is wanted"


def joint_array(value: ArrayLike) -> NDArray[np.float32]:
    """Returns `value` as joints (T, M, V, 3). Raises DataError that names its shape and the shapes that are wanted."""
    numbers = _numbers(value)
    shape = numbers.shape
    if numbers.ndim == 3 and shape[1:] == (NUM_JOINTS, 3):
        if len(numbers) <= MOST_BODIES:
            raise DataError(
                f"joints of shape {shape} may be {shape[0]} frames of one body or one frame of {shape[0]} bodies; give "
                f"(frames, bodies, {NUM_JOINTS}, 3)"
            )
        numbers = numbers[:, None]  # (T, 1, V, 3)
    if numbers.ndim != 4 or numbers.shape[2:] != (NUM_JOINTS, 3) or not len(numbers):
        raise DataError(f"joints of shape {shape}, where {WANTED}{_hint(shape)}")
    if numbers.shape[1] > len(numbers):
        raise DataError(
            f"joints of shape {shape} would be {shape[0]} frames of {shape[1]} bodies; {WANTED}. If bodies come first, "
            "give array.transpose(1, 0, 2, 3); if they are several clips, give each of them by itself"
        )
    with np.errstate(over="ignore"):
        joints = numbers.astype(np.float32)
    require_joints(joints)
    return joints


def require_joints(joints: NDArray[np.float32], most_bodies: int | None = None) -> None:
    """Raises DataError unless joints (T, M, V, 3) are finite and no frame has more than `most_bodies`.

    None = as many as a sensor tracks.
    """
    most_bodies = MOST_BODIES if most_bodies is None else most_bodies
    if joints.ndim != 4 or joints.shape[2:] != (NUM_JOINTS, 3):
        raise DataError(f"joints of shape {joints.shape}, where (frames, bodies, {NUM_JOINTS}, 3) is wanted")
    if not np.isfinite(joints).all():
        raise DataError("joints hold NaN or infinite numbers")
    most = int(joints.any(axis=(2, 3)).sum(axis=1).max(initial=0))
    if most > most_bodies:
        raise DataError(
            f"joints of shape {joints.shape} have a frame with {most} bodies, where a sensor tracks at most "
            f"{most_bodies}; (frames, bodies, {NUM_JOINTS}, 3) is wanted, so its first two axes are something else"
        )


def _numbers(value: ArrayLike) -> NDArray[Any]:
    """Returns `value` as an array of real numbers. Raises DataError when it is none."""
    if callable(detach := getattr(value, "detach", None)):  # a tensor, perhaps with a gradient or on a GPU
        value = detach().cpu()
    try:
        numbers = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise DataError(f"a {type(value).__name__} is no array of numbers ({reason}); {WANTED}") from error
    if numbers.dtype.kind not in NUMBER_KINDS:
        raise DataError(f"a {type(value).__name__} of {str(numbers.dtype)[:40]} is no array of numbers; {WANTED}")
    return numbers


def _hint(shape: tuple[int, ...]) -> str:
    """Returns what to do about a layout that other programs use; "" for an unknown one."""
    if len(shape) == 4 and shape[0] == 3 and shape[2] == NUM_JOINTS:
        return "; its axes seem to be (3, frames, joints, bodies): give array.transpose(1, 3, 2, 0)"
    if len(shape) == 5:
        return "; several clips are given as a list, one array each"
    if len(shape) == 2 and shape[1] and shape[1] % (3 * NUM_JOINTS) == 0:
        return f"; its rows seem to be flat: give array.reshape(len(array), -1, {NUM_JOINTS}, 3)"
    return ""
