"""Moving skeletons for a page: what the player (skeleton_player.js) is given, and how a page is put together.

A page is one HTML file that asks for nothing else: styles, scripts and clips stand in it, and its content security
policy forbids requests and any script but those that were put there.
Letters: T frames, M bodies, V = 25 joints.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from data.joints import BONES, JOINT_NAMES

FRAMES_PER_SECOND = 30.0  # of a Kinect v2
INT16_MAX = 32767
ABSENT = -32768  # in the place of a joint's coordinates


@dataclass(frozen=True)
class MovingSkeleton:
    """One clip to look at."""

    name: str
    about: str  # a line below the name
    joints: NDArray[np.float32]  # (T, M, V, 3) metres; zero where a joint is absent
    up: Literal["y", "z"]  # the axis that points up: y in raw clips, z in normalised ones
    frames_per_second: float = FRAMES_PER_SECOND

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which joints are there, (T, M, V)."""
        return np.asarray((self.joints != 0).any(axis=3) & np.isfinite(self.joints).all(axis=3))

    def view(self) -> NDArray[np.float64]:
        """The axes of one who stands in front, as rows: rightwards, upwards, towards the viewer. (3, 3).

        In front is where the camera stood (raw clips), or where the person looks in the first frame (normalised ones).
        Their x runs to the viewer's left, so that nobody is shown mirrored: who faces the viewer has the left hand on
        the viewer's right.
        """
        if self.up == "y":
            return np.array([[-1.0, 0, 0], [0, 1, 0], [0, 0, -1]])
        return np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])

    def packed(self) -> dict[str, Any]:
        """What skeleton_player.js reads: 16-bit coordinates, base64, of `unit_m` metres each (a millimetre or more)."""
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
    """The joints' names and sides and the bones, for skeleton_player.js."""
    return {"names": [name.replace("_", " ") for name in JOINT_NAMES], "sides": list(SIDES), "bones": BONES}


def _side(name: str) -> Literal["left", "right", "middle"]:
    if name.startswith("left"):
        return "left"
    return "right" if name.startswith("right") else "middle"


SIDES = tuple(_side(name) for name in JOINT_NAMES)


def json_for_page(value: object) -> Markup:
    """`value` as JSON that may stand in a <script> element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def page_file(name: str) -> str:
    """A file of pipeline/pages/, such as a script or style sheet."""
    return resources.files("pipeline").joinpath("pages", name).read_text("utf-8")


def render_page(template: str, scripts: Sequence[str], **values: Any) -> str:
    """The page of pipeline/pages/`template` with `scripts` embedded; texts in `values` are escaped."""
    environment = Environment(
        loader=PackageLoader("pipeline", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}"
    return environment.get_template(template).render(
        policy=policy,
        scripts=[Markup(script) for script in scripts],
        styles=Markup(page_file("page.css")),
        skeleton=json_for_page(skeleton_model()),
        json_for_page=json_for_page,
        **values,
    )
