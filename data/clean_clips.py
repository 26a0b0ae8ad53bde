"""Normalised clips as columns: what `preprocess` collects and writes to skeletons.h5."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CleanClips:
    """n clips. Every field named in COLUMNS has one entry per clip and the shape (n,) unless another one is given."""

    COLUMNS: ClassVar = (
        "name", "action", "setup", "camera", "subject", "replication",
        "frames", "bodies", "dropped", "period", "centres", "fps",
    )  # fmt: skip

    joints: NDArray[np.float32]  # (rows, V, 3) metres, one clip after another
    centre: NDArray[np.float32]  # (centre rows, 3) metres, one clip after another
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
    centres: NDArray[np.int64]  # each clip's number of rows in `centre`
    fps: NDArray[np.float64]  # frames a second of the recording

    def __len__(self) -> int:
        return len(self.name)
