"""A recording: the points of a source's frames, block by block, as its file holds them.

`Layout.to_ntu` of data/layouts/layout.py turns a block's points into NTU's joints. Letters: t frames of a block,
M bodies, J joints of the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_FRAMES = 512
MAX_FRAMES = 1 << 22  # of a recording; more than a day at 30 frames a second


@dataclass(frozen=True)
class FrameBlock:
    """Up to BLOCK_FRAMES frames that follow each other.

    A body keeps its place m for the whole recording. M may be larger in a later block, where another body has come.
    """

    points: NDArray[np.float32]  # (t, M, J, 3) in the source's unit and axes; NaN = absent
    number: NDArray[np.int64]  # (t,) the frame's number in the source, which may skip or repeat; else from 0
    times_s: NDArray[np.float64] | None  # (t,) as the file tells


@dataclass(frozen=True)
class Recording:
    """What a file holds. `blocks` reads it, once, and raises RawFileError where it is broken.

    The points are in the layout's unit; when it has none (unit_m = 0), they are in metres, by the body's size.
    """

    source: str
    fps: float | None  # as the file says; None when it says nothing
    blocks: Iterator[FrameBlock]
