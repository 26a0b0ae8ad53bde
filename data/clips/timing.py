"""Time: frames of a recording -> evenly spaced frames, with short gaps filled.

Backbones are trained at one frame rate; the same motion at another rate looks faster or slower to them. Letters:
T frames of the source, N frames of the result, M bodies, V joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.clips.span import Note
from data.errors import DataError

MAX_GAP_S = 0.5  # a joint that is away for longer is not invented
EVEN = 0.1  # of a frame: times that are this near to an even grid are taken for it, so that jitter smooths nothing
SAME_RATE = 1e-3  # two rates that are this near are one, as 1 / 0.0333333 and 30
MAX_GRID_FRAMES = 1 << 20  # a clock that leaps would make a grid without end


@dataclass(frozen=True)
class EvenFrames:
    """Evenly spaced frames, and what was done to get them.

    joints: (N, M, V, 3) float32, NaN where a joint is absent.
    doubled: frames of the source with the number or time of the frame before, which were left out.
    filled: frames of the result in which a joint was interpolated over a gap of the source.
    lost: frames of the result inside of gaps too long to fill: a body is there before and after, but not in them.
    """

    joints: NDArray[np.float32]
    doubled: int = 0
    filled: int = 0
    lost: int = 0

    def notes(self, source_fps: float, fps: float) -> list[Note]:
        """What was done; nothing for frames that are as they were."""
        counts = {
            "with frames that repeat the time of the frame before, which were left out": f"{self.doubled} frames",
            f"with gaps of at most {MAX_GAP_S} s, which were filled": f"{self.filled} frames",
            "with longer gaps, which stay empty": f"{self.lost} frames, {self.lost / fps:.1f} s",
        }
        resampled = abs(source_fps / fps - 1) > SAME_RATE
        notes = [Note(f"resampled to {fps:g} frames a second", f"from {source_fps:.4g}")] if resampled else []
        return notes + [Note(what, text) for what, text in counts.items() if not text.startswith("0 ")]


def even_frames(joints: NDArray[np.float32], times_s: NDArray[np.float64], source_fps: float, fps: float) -> EvenFrames:
    """Return joints (T, M, V, 3), NaN where absent, at the times of an even grid of `fps` frames a second.

    times_s: (T,) seconds, in order; `source_fps` is the rate at which the source takes frames. Between frames, joints
    are interpolated linearly, over at most MAX_GAP_S. Raises DataError when time goes back, the grid would be too long,
    or frames lie farther apart than MAX_GAP_S, so that only gaps would come of them.
    """
    if source_fps * MAX_GAP_S < 1 and abs(source_fps / fps - 1) > SAME_RATE:
        raise DataError(
            f"at {source_fps:.4g} frames a second its frames lie more than {MAX_GAP_S} s apart, too far to interpolate "
            f"between them for {fps:g} a second; check its frame rate"
        )
    kept, doubled = _in_order(times_s, source_fps)
    joints, times_s = joints[kept], times_s[kept]
    grid_s = _grid(times_s, fps)
    if len(grid_s) == len(times_s) and np.abs(times_s - grid_s).max(initial=0) * fps <= EVEN:
        grid_s = times_s  # nothing between frames is asked for; joints that are missing are still filled
    result = np.full((len(grid_s), *joints.shape[1:]), np.nan, np.float32)
    filled = np.zeros(len(grid_s), bool)
    lost = np.zeros(len(grid_s), bool)
    for body in range(joints.shape[1]):
        result[:, body], body_filled, body_lost = _interpolated(joints[:, body], times_s, grid_s, source_fps)
        filled |= body_filled
        lost |= body_lost
    return EvenFrames(result, doubled, int(filled.sum()), int(lost.sum()))


def _in_order(times_s: NDArray[np.float64], source_fps: float) -> tuple[NDArray[np.int64], int]:
    """Return the frames to keep, and how many were left out because they repeat a time."""
    steps = np.diff(times_s)
    if not np.isfinite(times_s).all() or (steps < 0).any():
        back = int(np.argmax(~(steps >= 0))) if len(steps) else 0
        raise DataError(f"time goes back, or is no number, after frame {back + 1}")
    kept = np.flatnonzero(np.r_[True, steps > EVEN / source_fps / 10])
    return kept, len(times_s) - len(kept)


def _grid(times_s: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    length_s = float(times_s[-1] - times_s[0])
    frames = int(np.floor(length_s * fps + EVEN)) + 1
    if frames > MAX_GRID_FRAMES:
        raise DataError(f"its frames span {length_s:.6g} s, which makes {frames} frames at {fps:g} a second: too many")
    grid: NDArray[np.float64] = times_s[0] + np.arange(frames) / fps
    return grid


def _interpolated(
    joints: NDArray[np.float32], times_s: NDArray[np.float64], grid_s: NDArray[np.float64], source_fps: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return one body (T, V, 3) on the grid (N, V, 3), and in which of the N frames gaps were filled or left."""
    frames, last = np.arange(len(times_s))[:, None], len(times_s) - 1
    there = np.isfinite(joints).all(axis=2)  # (T, V)
    before = np.maximum.accumulate(np.where(there, frames, -1), axis=0)  # (T, V) the last frame with the joint
    after = np.minimum.accumulate(np.where(there, frames, last + 1)[::-1], axis=0)[::-1]
    left = np.searchsorted(times_s, grid_s + 1e-9, side="right") - 1  # (N,)
    right = np.where(times_s[left] >= grid_s - 1e-9, left, np.minimum(left + 1, last))
    start, end = before[left], after[right]  # (N, V)
    inside = (start >= 0) & (end <= last)
    start, end = np.where(inside, start, 0), np.where(inside, end, 0)
    gap_s = times_s[end] - times_s[start]  # (N, V)
    known = inside & (gap_s <= MAX_GAP_S)
    share = np.where(gap_s > 0, (grid_s[:, None] - times_s[start]) / np.where(gap_s > 0, gap_s, 1), 0)[..., None]
    joint = np.arange(joints.shape[1])
    first, second = joints[start, joint].astype(np.float64), joints[end, joint].astype(np.float64)  # (N, V, 3)
    values = np.where(known[..., None], np.where(share == 0, first, first + share * (second - first)), np.nan)
    filled = np.asarray((known & (gap_s > 1.5 / source_fps)).any(axis=1))
    lost = np.asarray((inside & ~known).all(axis=1))
    return values.astype(np.float32), filled, lost
