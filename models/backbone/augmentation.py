"""Augmentation of skeleton clips: rotation, scaling and cropping in time. The published recipe uses none."""

import numpy as np
from numpy.typing import NDArray

from models.backbone.settings import BackboneSettings


def augments(settings: BackboneSettings) -> bool:
    """Whether `settings` ask for any augmentation."""
    return settings.rotation_degrees > 0 or settings.scaling > 0 or settings.time_crop < 1


def augment(
    clip: NDArray[np.float32], settings: BackboneSettings, generator: np.random.Generator
) -> NDArray[np.float32]:
    """One clip (3, T, 25, M), changed at random. The shape stays, and absent joints (zeros) stay absent.

    The clip is turned about each axis by up to `rotation_degrees`, and scaled along each axis by a factor between
    1 - `scaling` and 1 + `scaling`, both about the origin. Then a part of at least `time_crop` of its frames is
    interpolated linearly to T frames.
    """
    turns = np.deg2rad(generator.uniform(-settings.rotation_degrees, settings.rotation_degrees, 3))
    scales = generator.uniform(1 - settings.scaling, 1 + settings.scaling, 3)
    matrix = rotation(turns) * scales  # scale the axes, then turn
    changed: NDArray[np.float32] = np.einsum("dc,ctvm->dtvm", matrix.astype(np.float32), clip)
    if settings.time_crop == 1:
        return changed
    frames = clip.shape[1]
    length = generator.uniform(settings.time_crop, 1) * (frames - 1)
    times = generator.uniform(0, frames - 1 - length) + np.linspace(0, length, frames)
    return _at(changed, times)


def rotation(turns_radians: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (3, 3) that turns about x, then y, then z."""
    matrix = np.eye(3)
    for axis, turn in enumerate(turns_radians):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(turn)
        step[one, other], step[other, one] = -np.sin(turn), np.sin(turn)
        matrix = step @ matrix
    return matrix


def _at(clip: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """The clip interpolated at `times` (T,), in frames. A joint that one frame lacks is taken from the nearer frame."""
    earlier = np.minimum(times.astype(np.int64), clip.shape[1] - 1)
    later = np.minimum(earlier + 1, clip.shape[1] - 1)
    share = (times - earlier).astype(np.float32)[:, None, None]
    one, other = clip[:, earlier], clip[:, later]
    absent = ~one.any(0) | ~other.any(0)  # (T, V, M)
    nearer = np.where(share < 0.5, one, other)
    return np.where(absent, nearer, one + share * (other - one))
