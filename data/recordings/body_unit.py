"""The unit of a recording whose file tells none, from the size of the body.

Limbs are measured from joint to joint, and compared with the proportions of Drillis and Contini (Body Segment
Parameters, 1966; figure 4.1 of Winter, Biomechanics and Motor Control of Human Movement, 2009) at HEIGHT_M. A unit
close to one that people use is taken for it, so that tall people stay tall; else the body becomes HEIGHT_M tall.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from data.errors import RawFileError
from data.joints import JOINT_NAMES
from data.layouts.layout import Layout
from data.recordings.recording import FrameBlock, Recording

HEIGHT_M = 1.70
LIMBS = {  # part of the height
    ("hip", "knee"): 0.245,
    ("knee", "ankle"): 0.246,
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
}
UNITS_M = (0.001, 0.01, 0.0254, 0.1, 0.3048, 1.0)  # mm, cm, inch, dm, foot, m
CLOSE = 1.2  # a body may be so many times taller or smaller than HEIGHT_M in one of these units


def in_metres(recording: Recording, layout: Layout) -> Recording:
    """Returns the recording in metres; its unit is measured in the first block, and holds for all.

    Raises RawFileError, with the first block, when no limb can be measured.
    """
    return replace(recording, blocks=_scaled(recording.blocks, layout, recording.source))


def _scaled(blocks: Iterator[FrameBlock], layout: Layout, source: str) -> Iterator[FrameBlock]:
    first = next(blocks, None)
    if first is None:
        return
    unit_m = measured_unit_m(first, layout, source)
    for block in chain([first], blocks):
        with np.errstate(over="ignore"):
            points = (block.points * np.float64(unit_m)).astype(np.float32)
        yield replace(block, points=points)


def measured_unit_m(block: FrameBlock, layout: Layout, source: str) -> float:
    """Returns the metres in one unit of a block's points. Raises RawFileError when no limb can be measured."""
    joints = layout.to_ntu(block.points).astype(np.float64)  # (t, M, V, 3) in the source's unit
    found, expected = 0.0, 0.0
    for (one, two), part in LIMBS.items():
        for side in ("left", "right"):
            start, stop = (JOINT_NAMES.index(f"{side}_{joint}") for joint in (one, two))
            lengths = np.linalg.norm(joints[:, :, start] - joints[:, :, stop], axis=-1)  # (t, M)
            lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
            if len(lengths):
                found += float(np.median(lengths))
                expected += part * HEIGHT_M
    if not found:
        raise RawFileError(source, "no arm or leg is seen in its first frames, by which its unit could be told")
    unit_m = expected / found
    return next((known for known in UNITS_M if 1 / CLOSE <= unit_m / known <= CLOSE), unit_m)
