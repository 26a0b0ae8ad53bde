"""What a process does with memory that was given back."""

from functools import cache

import numpy as np


@cache
def keep_freed_memory() -> None:
    """Make glibc keep up to 32 MB of freed memory, once in a process.

    Arrays of a few hundred kilobytes and more are given back to the system otherwise, and asked for again at the next
    clip or training step: page faults then cost more time than parsing a clip, and a twentieth of a training step.
    glibc raises its threshold when a block of this size is freed; nothing touches the block, so it costs no memory.
    Other allocators do not mind.
    """
    np.empty(1 << 24, np.uint8)
