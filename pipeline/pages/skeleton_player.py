"""Moving skeletons: a clip, and the form in which skeleton_player.js plays it.

Letters: T frames, M bodies, V = 25 joints.
"""

import base64
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.joints import BONES, JOINT_NAMES

FRAMES_PER_SECOND = 30.0  # of a Kinect v2
INT16_MAX = 32767
ABSENT = -32768  # stands for the coordinates of an absent joint; skeleton_player.js has the same number
Side = Literal["left", "right", "middle"]


@dataclass(frozen=True)
class MovingSkeleton:
    """A clip to play or draw."""

    name: str
    caption: str  # a line below the name
    joints: NDArray[np.float32]  # (T, M, V, 3) metres; zero where a joint is absent
    up: Literal["y", "z"]  # the axis that points up: y in raw clips, z in normalised ones
    frames_per_second: float = FRAMES_PER_SECOND

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which joints are present, (T, M, V)."""
        return np.asarray((self.joints != 0).any(axis=3) & np.isfinite(self.joints).all(axis=3))

    def view(self) -> NDArray[np.float64]:
        """The axes of a viewer who stands in front, as rows: rightwards, upwards, towards the viewer. (3, 3).

        In a raw clip the viewer stands where the camera was; in a normalised clip, where the person looks in the first
        frame. The data's x runs to the viewer's left, so that nobody is mirrored: the left hand of a person who faces
        the viewer is on the viewer's right.
        """
        if self.up == "y":
            return np.array([[-1.0, 0, 0], [0, 1, 0], [0, 0, -1]])
        return np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])

    def packed(self) -> dict[str, Any]:
        """The clip as skeleton_player.js reads it.

        Coordinates are 16-bit integers in base64. Each counts steps of `unit_m` metres, a millimetre or more.
        """
        present = self.present
        largest = float(np.abs(self.joints[present]).max(initial=0))
        unit_m = max(0.001, largest / INT16_MAX)
        steps = np.where(present[..., None], np.rint(self.joints / unit_m), ABSENT).astype("<i2")
        frames, bodies = self.joints.shape[:2]
        return {
            "name": self.name,
            "frames": frames,
            "bodies": bodies,
            "fps": self.frames_per_second,
            "view": self.view().tolist(),
            "unit_m": unit_m,
            "joints": base64.b64encode(steps.tobytes()).decode("ascii"),
        }


def skeleton_model() -> dict[str, Any]:
    """The names and sides of the joints, and the bones, as skeleton_player.js reads them."""
    return {"names": [name.replace("_", " ") for name in JOINT_NAMES], "sides": list(SIDES), "bones": BONES}


def _side(name: str) -> Side:
    if name.startswith("left"):
        return "left"
    return "right" if name.startswith("right") else "middle"


SIDES: tuple[Side, ...] = tuple(_side(name) for name in JOINT_NAMES)
