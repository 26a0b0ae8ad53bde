"""A recording of any length thinned out to a bounded number of frames, to look at.

Letters: N frames that are kept, M bodies, V = 25 joints.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.clips.span import Frames
from data.clips.timing import MAX_GAP_S
from data.joints import NUM_JOINTS
from pipeline.pages.skeleton_player import MovingSkeleton

MOST_BODY_FRAMES = 4000  # frames times bodies; as text of a page, 800 KB


class Thinned:
    """Takes blocks of frames, and keeps the first one of each step of time. Steps double when too many are kept."""

    def __init__(self, most_body_frames: int = MOST_BODY_FRAMES) -> None:
        self._most = most_body_frames
        self._kept: dict[int, tuple[float, NDArray[np.float32]]] = {}  # step -> time, joints (M, V, 3)
        self._step_s = 0.0
        self._fps = 0.0

    def add(self, block: Frames) -> None:
        """Take the frames of a block; its times go on from those of the block before."""
        if not self._step_s:
            self._fps = block.fps
            self._step_s = 1 / block.fps
        for joints, time_s in zip(block.joints, block.times_s.tolist(), strict=True):
            step = int(time_s / self._step_s + 1e-6)
            while step and (step + 1) * len(joints) > self._most:
                self._step_s *= 2
                self._kept = {step // 2: kept for step, kept in self._kept.items() if step % 2 == 0}
                step = int(time_s / self._step_s + 1e-6)
            if step not in self._kept:
                self._kept[step] = time_s, joints.copy()  # (M, V, 3)

    def moving(self, name: str, duration_s: float) -> MovingSkeleton:
        """Return what was kept, a frame for each step. A step without a frame repeats one of at most MAX_GAP_S before.

        Bodies that no kept frame shows are left out. The caption says how many frames a second are kept.
        """
        steps = max(self._kept) + 1
        bodies = max(len(joints) for _, joints in self._kept.values())
        joints = np.zeros((steps, bodies, NUM_JOINTS, 3), np.float32)  # (N, M, V, 3)
        last_s, last = -np.inf, joints[0]
        for step in range(steps):
            if step in self._kept:
                last_s, last = self._kept[step]
            if step * self._step_s - last_s <= MAX_GAP_S or step in self._kept:
                joints[step, : len(last)] = np.nan_to_num(last, nan=0.0)
        shown = np.asarray(joints.any(axis=(0, 2, 3)))  # (M,)
        shown[0] |= not shown.any()
        rate = 1 / self._step_s
        caption = f"{duration_s:.1f} s"
        if rate < self._fps / 1.5:
            caption += f"; thinned out to {rate:.3g} frames a second, of {self._fps:.4g}"
        return MovingSkeleton(Path(name).name, caption, joints[:, shown], "y", rate)
