"""Tells two-dimensional points, which no reader takes, from three-dimensional ones."""

import io
from typing import Any

import ijson
import numpy as np
from numpy.typing import NDArray

# JSON of COCO, OpenPose and AlphaPose: a flat list of x, y and confidence for each point
FLAT = {51: "coco-17", 54: "coco-18", 75: "openpose-25", 78: "halpe-26"}
FLAT_KEYS = ("keypoints", "pose_keypoints_2d")
BY_JOINTS = {17: "coco-17", 18: "coco-18", 26: "halpe-26"}
LEAST_POINTS = 5
PIXELS = 10  # coordinates of a person in metres are smaller


def is_pixels(points: NDArray[np.float32]) -> bool:
    """Whether points (..., 3) are x and y in an image with a confidence as the third number.

    A confidence is 0 to 1, and varies; x and y are not negative, and pixels, or 0 to 1 too.
    """
    known = points[np.isfinite(points).all(axis=-1)]  # (K, 3)
    if not len(known) or known.min() < 0:
        return False
    most = known.max(axis=0)
    return bool(most[2] <= 1 and (most[:2].max() > PIXELS or most[:2].max() <= 1) and np.ptp(known[:, 2]) > 0)


def shape_in_json(head: bytes) -> tuple[int, int, str] | None:
    """Returns what the first list of points in the first bytes of a JSON file holds.

    (points, numbers of each, the layout's name if it is a known two-dimensional one); None when no such list is seen.
    """
    stack: list[list[Any]] = []  # for each open list or object: its key, its number of numbers, shapes of its children
    key = ""
    try:
        for event, value in ijson.basic_parse(io.BytesIO(head), use_float=True):
            if event == "map_key":
                key = value
            elif event in ("start_map", "start_array"):
                stack.append([key, 0, []])
                key = ""
            elif event == "number" and stack:
                stack[-1][1] += key.lower() in ("", "x", "y", "z")
            elif event in ("end_map", "end_array"):
                name, numbers, children = stack.pop()
                if seen := _points(name, numbers, children if event == "end_array" else []):
                    return seen
                if stack and len(stack) < 32:
                    stack[-1][2].append(numbers)
    except (ijson.JSONError, ValueError, OverflowError):
        return None  # the head ends within the file
    return None


def _points(key: str, numbers: int, children: list[int]) -> tuple[int, int, str] | None:
    if key in FLAT_KEYS and numbers in FLAT:
        return numbers // 3, 3, FLAT[numbers]
    if len(children) >= LEAST_POINTS and len(set(children)) == 1 and children[0] in (2, 3):
        return len(children), children[0], BY_JOINTS.get(len(children), "") if children[0] == 2 else ""
    return None
