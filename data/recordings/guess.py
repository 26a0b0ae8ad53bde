"""Says which built-in layout a file has, by reading its first frames with each layout that may fit.

A layout fits when its reader reads the file and the person is one: upright, of a person's size, with toes that point
forward. Nothing is guessed when no layout fits or several do, for a wrong layout gives wrong answers and no error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, RawFileError
from data.joints import JOINT_NAMES
from data.layouts.layout import Layout, layout_names, load_layout
from data.recordings.annotations import open_annotation, read_annotations
from data.recordings.readers import open_recording
from data.recordings.recording import Recording
from data.recordings.two_dimensional import is_pixels, shape_in_json

HEAD_BYTES = 1 << 16
TORSO_M = (0.2, 1.0)  # 0.3 to 0.8 was measured on people; wider, for a first frame may be a bad one
UPRIGHT = 0.5  # the head of a person who sits on the floor is so many torsos above the feet
BACKWARD_M = -0.03  # toes that point so far back are those of a mirrored person
KINDS = (  # how a file begins, what that is, and the kinds of readers that may fit
    (b"\x93NUMPY", "a NumPy array", ("array", "dict")),
    (b"PK\x03\x04", "an .npz archive", ("array", "dict")),
    (b"MATLAB", "a MATLAB file", ("array", "dict")),
    (b"\x89HDF", "an HDF5 file", ("array", "dict")),
    (b"\x80", "a pickle", ("pickle",)),
    (b"HIERARCHY", "BVH", ("bvh",)),
    (b"{", "JSON", ("json",)),
    (b"[", "JSON", ("json",)),
)
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Guess:
    """The layout of a file, and why it is that."""

    layout: Layout
    reason: str


def guess_layout(source: str, stream: BinaryIO) -> Guess:
    """Returns the layout of the file in `stream`, which must be seekable and is left at its start.

    Raises DataError, with what was seen, when the file's points are two-dimensional, and when no layout fits or several
    do.
    """
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    what, kinds = _kind(head)
    if kinds == ("skeleton",):
        stream.seek(0)
        return Guess(load_layout("ntu"), "its lines are those of NTU's own text files")
    if kinds == ("json",):
        _refuse_two_dimensions(shape_in_json(head.removeprefix(BOM)), source, what)
    fitting, reasons = list[Guess](), list[str]()
    for layout in (load_layout(name) for name in layout_names()):
        if layout.kind in kinds:
            stream.seek(0)
            fault, seen = _trial(stream, source, layout)
            if fault:
                reasons.append(f"{layout.name}: {fault}")
            else:
                fitting.append(Guess(layout, f"{what}, {seen}"))
    stream.seek(0)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(guess.layout.name for guess in fitting)
        raise DataError(f"{source}: {what} that {names} fit; say which it is")
    raise DataError(
        f"{source}: {what} that no built-in layout fits ({'; '.join(reasons) or 'none is of this kind'}). Say which it "
        "is, or describe it in a .toml file of your own"
    )


def _kind(head: bytes) -> tuple[str, Sequence[str]]:
    """Returns what a file is by its first bytes, and the kinds of readers that may fit."""
    text = head.removeprefix(BOM).lstrip()
    for start, what, kinds in KINDS:
        if text.startswith(start):
            return what, kinds
    lines = [line.split() for line in text.split(b"\n")[:3]]
    whole = [len(line) == 1 and line[0].isdigit() for line in lines]
    if whole[:2] == [True, True] and len(lines) == 3 and (len(lines[2]) == 10 or lines[1] == [b"0"]):
        return "text", ("skeleton",)
    return "text", ("text",)


def _refuse_two_dimensions(seen: tuple[int, int, str] | None, source: str, what: str) -> None:
    """Raises DataError when what was seen in a JSON file are two-dimensional points."""
    if seen is None:
        return
    joints, numbers, name = seen
    if name or numbers == 2:
        known = load_layout(name).refused if name else "two-dimensional; lift its points to 3-D first"
        shown = f" ({name})" if name else ""
        raise DataError(f"{source}: {what} with {joints} key points of {numbers} numbers{shown}: {known}")


def _trial(stream: BinaryIO, source: str, layout: Layout) -> tuple[str, str]:
    """Reads the first block; returns what is wrong with it in this layout ("" = it fits), and what was seen."""
    try:
        block = next(_opened(stream, source, layout).blocks)
    except RawFileError as error:
        return f"{f'line {error.line}: ' if error.line else ''}{error.reason}", ""
    if is_pixels(block.points):
        return "its third numbers are confidences of two-dimensional points; lift them to 3-D first", ""
    joints = layout.to_ntu(block.points)  # (T, M, V, 3)
    return implausible(joints), f"{len(layout.joints)} joints"


def _opened(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens the recording, or the first one of a file that may hold several."""
    if layout.kind != "pickle":
        return open_recording(stream, source, layout)
    return open_annotation(stream, source, read_annotations(stream, source, layout).clips[0], layout)


def implausible(joints: NDArray[np.float32]) -> str:
    """Returns what is wrong with joints (T, M, V, 3) that should be those of a person; "" when nothing is.

    Medians over all frames and bodies are looked at: the length of the torso, whether the head is above the feet, and
    whether the toes point forward.
    """
    rows = joints[np.isfinite(joints).all(axis=(2, 3))].astype(np.float64)  # (K, V, 3)
    if not len(rows):
        return "no frame has a whole body"
    at = {name: rows[:, place] for place, name in enumerate(JOINT_NAMES)}  # (K, 3) each
    up = at["spine_shoulder"] - at["spine_base"]
    torso_m = float(np.median(np.linalg.norm(up, axis=-1)))
    if not TORSO_M[0] <= torso_m <= TORSO_M[1]:
        return f"the torso would measure {torso_m:.3g} m, so the unit is another"
    feet = (at["left_foot"] + at["right_foot"]) / 2
    if np.median((at["head"] - feet)[:, 1]) <= UPRIGHT * torso_m:
        return "the head would not be above the feet, so the axes are others"
    forward = np.cross(up, at["right_shoulder"] - at["left_shoulder"])
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    toes = feet - (at["left_ankle"] + at["right_ankle"]) / 2
    if np.median((toes * forward).sum(axis=-1)) < BACKWARD_M:
        return "the toes would point back, so left and right are exchanged, or the axes are others"
    return ""
