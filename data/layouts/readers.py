"""What a layout says to the reader of its files: the table [reader] of data/layouts/NAME.toml, one model for each kind.

data/recordings/readers.py has the reader of each kind.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

MAX_BODIES = 16  # in one line of a text; a sensor tracks at most 10


class _Options(BaseModel, extra="forbid", frozen=True, allow_inf_nan=False):
    """Options of one kind of reader."""


class TextOptions(_Options):
    """Lines of numbers, with a header or without."""

    kind: Literal["text"]
    header: bool = Field(False, description="the first line names the columns; else the place of a number tells")
    column: str = Field("{joint} ({axis})", description="with a header: how the column of a joint's x, y or z is named")
    number_column: str = Field("", description="with a header: the column of the frame's number")
    time_column: str = Field("", description="with a header: the column of the time")
    body_column: str = Field("", description="with a header: the column of the body; each body has a line of its own")
    time_unit_s: float = Field(1.0, gt=0, description="seconds in one unit of the time")
    first: Literal["", "number", "time"] = Field("", description="without a header: what a line's first field is")
    bodies: int = Field(1, ge=1, le=MAX_BODIES, description="without a header: bodies side by side in a line")
    joint_fields: int = Field(3, ge=3, le=64, description="without a header: fields of a joint; x, y, z come first")
    one_joint_a_line: bool = Field(False, description="without a header: each joint has a line of its own")


class JsonOptions(_Options):
    """JSON: a list of frames, one at a time."""

    kind: Literal["json"]
    frames: tuple[str, ...] = Field(("",), description='the keys that the list of frames may have; "" = the file is it')
    bodies: str = Field("", description="the key of a frame's list of bodies; without it a frame is a body")
    body: str = Field("", description="the key of a body's id; frames of other ids that have one time are one frame")
    points: str = Field("joints", description="the key of a body's list of joints")
    coordinates: tuple[str, str, str] = Field(("x", "y", "z"), description="the keys of a joint's coordinates")
    joint_name: str = Field("", description="the key of a joint's name, which must be that of the layout")
    present: str = Field("", description="the key that says whether the body is there")
    number: str = Field("", description="the key of a frame's number")
    time: str = Field("", description="the key of a frame's time")
    time_unit_s: float = Field(1.0, gt=0, description="seconds in one unit of the time")
    fps: str = Field("", description="the key, beside the list of frames, of the frames in a second")


class ArrayOptions(_Options):
    """.npy, .npz or .mat: an array (frames, joints, 3), (frames, bodies, joints, 3) or (frames, 3 joints)."""

    kind: Literal["array"]
    keys: tuple[str, ...] = Field((), description="names of the array in an .npz or .mat; none = the one that fits")
    time: str = Field("", description="the name of the array of times in an .npz or .mat")
    time_unit_s: float = Field(1.0, gt=0, description="seconds in one unit of the time")


class DictOptions(_Options):
    """A pickled dict in a .npy: `skel_body0`, `skel_body1`, ... (frames, joints, 3)."""

    kind: Literal["dict"]
    body_key: str = Field("skel_body{body}", description="the key of a body's joints; bodies count from 0")


class BvhOptions(_Options):
    """BVH: a hierarchy of joints, and their rotations in each frame.

    What stands before a colon in a name (`mixamorig:Hips`) does not count, nor do capitals. The end site of a joint
    `Head` is called `Head.end`.
    """

    kind: Literal["bvh"]
    names: dict[str, tuple[str, ...]] = Field({}, description="joint -> its names in files, the first that is there")


class PickleOptions(_Options):
    """A pickled dict of annotations, each with `keypoint` (bodies, frames, joints, 3)."""

    kind: Literal["pickle"]


class SkeletonOptions(_Options):
    """NTU's own text files, which data/raw/skeleton_file.py parses."""

    kind: Literal["skeleton"]


ReaderOptions = Annotated[
    TextOptions | JsonOptions | ArrayOptions | DictOptions | BvhOptions | PickleOptions | SkeletonOptions,
    Field(discriminator="kind"),
]
