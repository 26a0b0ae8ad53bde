"""Keeps freed memory in the process, so that arrays of some hundred kilobytes are made faster."""

from functools import cache

import numpy as np


@cache
def keep_freed_memory() -> None:
    """Makes glibc keep up to 32 MB of freed memory. Only the first call in a process does anything.

    By default glibc returns freed arrays of a few hundred kilobytes to the system, and asks for them again at the next
    clip or training step. The page faults then take longer than parsing a clip, and a twentieth of a training step.
    glibc raises its threshold when a block of this size is freed. Nothing writes to the block, so it takes no memory.
    Other allocators ignore it.
    """
    np.empty(1 << 24, np.uint8)
