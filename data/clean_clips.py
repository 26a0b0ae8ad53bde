"""Clips on their way from the raw files to skeletons.h5."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CleanClips:
    """Clips as they go into skeletons.h5, (n,) each: rows one clip after another, and a column for each of COLUMNS."""

    COLUMNS: ClassVar = (
        "name", "action", "setup", "camera", "subject", "replication",
        "frames", "bodies", "dropped", "period", "centres",
    )  # fmt: skip

    joints: NDArray[np.float32]  # (rows, V, 3)
    centre: NDArray[np.float32]  # (rows of centre, 3)
    name: NDArray[np.str_]
    action: NDArray[np.int64]
    setup: NDArray[np.int64]
    camera: NDArray[np.int64]
    subject: NDArray[np.int64]
    replication: NDArray[np.int64]
    frames: NDArray[np.int64]
    bodies: NDArray[np.int64]
    dropped: NDArray[np.int64]
    period: NDArray[np.int64]  # (n, 2)
    centres: NDArray[np.int64]  # rows of `centre`

    def __len__(self) -> int:
        return len(self.name)
