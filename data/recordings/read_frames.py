"""Reads the frames of a recording into memory: 25 joints in metres and NTU's axes, each frame with its time.

Letters: T frames, M bodies, J joints of the source, V = 25.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from data.clips.span import Frames, Note, Span, TooLongError
from data.errors import RawFileError
from data.joints import JOINT_NAMES, SPINE_BASE
from data.layouts.layout import Layout
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import MAX_BODY_FRAMES
from data.recordings.annotations import Annotation, open_annotation
from data.recordings.readers import open_recording
from data.recordings.recording import FrameBlock, Recording

SPINE_SHOULDER = JOINT_NAMES.index("spine_shoulder")
SAME_RATE = 0.05  # a clock that is this near to the layout's rate runs at it
SENSORS_FPS = (0.5, 1000)


def read_frames(
    file: ClipSource, annotation: Annotation | None, layout: Layout, fps: float, span: Span | None = None
) -> Frames:
    """Read all frames, or those of a span, of a recording; `fps` 0 = as the recording or its layout says.

    Memory holds the frames that are returned and one block. Raises TooLongError when they are too many for a clip,
    RawFileError when the file is not as the layout says or nothing says its frame rate.
    """
    source = str(file)
    with file.opened() as stream:
        recording = _opened(stream, source, annotation, layout)
        blocks = list(_blocks(recording, fps, layout, span, MAX_BODY_FRAMES))
    if not blocks:
        raise RawFileError(source, f"it holds no frame{' of this span' if span else ''}")
    bodies = max(block.joints.shape[1] for block in blocks)
    joints = np.concatenate([with_bodies(block.joints, bodies) for block in blocks])  # (T, M, V, 3)
    times_s = np.concatenate([block.times_s for block in blocks])
    number = np.concatenate([block.number for block in blocks])
    return Frames(joints, times_s, number, blocks[-1].fps, () if layout.unit_m else (_unit_note(joints),))


def stream_frames(file: ClipSource, annotation: Annotation | None, layout: Layout, fps: float) -> Iterator[Frames]:
    """Yield the frames of a recording of any length, block by block; a later block may have more bodies.

    Memory holds one block. Arguments and errors are those of `read_frames`, except that no recording is too long.
    """
    with file.opened() as stream:
        for block in _blocks(_opened(stream, str(file), annotation, layout), fps, layout, None, None):
            yield block if layout.unit_m else replace(block, notes=(_unit_note(block.joints),))


def _opened(stream: BinaryIO, source: str, annotation: Annotation | None, layout: Layout) -> Recording:
    if annotation is None:
        return open_recording(stream, source, layout)
    return open_annotation(stream, source, annotation, layout)


def _unit_note(joints: NDArray[np.float32]) -> Note:
    torso = joints[:, 0, SPINE_SHOULDER] - joints[:, 0, SPINE_BASE]  # (T, 3)
    torso_m = float(np.nanmedian(np.linalg.norm(torso, axis=1))) if np.isfinite(torso).any() else 0.0
    return Note("whose unit was taken from the body's size", f"the torso measures {torso_m:.2f} m")


def _blocks(
    recording: Recording, fps: float, layout: Layout, span: Span | None, most_held: int | None
) -> Iterator[Frames]:
    """Yield the frames of the span, mapped to 25 joints. A rate that the user gives outweighs the recording's times.

    Raises TooLongError after `most_held` frames times bodies.
    """
    rate, start_s, held = fps, None, 0
    for block in recording.blocks:
        rate = rate or _rate(block, recording, layout)
        times_s = block.number / rate if fps or block.times_s is None else block.times_s
        start_s = float(times_s[0]) if start_s is None else start_s
        frames = Frames(layout.to_ntu(block.points), times_s - start_s, block.number, rate)
        inside = np.ones(len(times_s), bool) if span is None else span.inside(frames)
        if not inside.any():
            if held:
                return  # the span has ended
            continue
        held += int(inside.sum()) * frames.joints.shape[1]
        if most_held and held > most_held:
            raise TooLongError(
                recording.source,
                f"more than {most_held} frames times bodies, too many for a clip; name the parts that are clips "
                "in a manifest (start_frame, end_frame)",
            )
        yield replace(
            frames, joints=frames.joints[inside], times_s=times_s[inside] - start_s, number=block.number[inside]
        )


def _rate(block: FrameBlock, recording: Recording, layout: Layout) -> float:
    """Return the frames a second: by the times of the first block, else as the file or the layout says.

    Raises RawFileError when nothing tells it, or the times tell one that no sensor has.
    """
    if block.times_s is not None and len(block.times_s) > 1:
        step_s = float(np.median(np.diff(block.times_s)))
        if step_s > 0 and np.isfinite(step_s):
            if not SENSORS_FPS[0] <= 1 / step_s <= SENSORS_FPS[1]:
                raise RawFileError(
                    recording.source,
                    f"by its times, {step_s:.4g} s pass from frame to frame, which no sensor takes; if they are in "
                    "another unit, write them in the layout's, or give time_unit_s in a layout of your own; --fps, "
                    "dataset.fps or the manifest's column fps make the times not count",
                )
            return layout.fps if layout.fps and abs(step_s * layout.fps - 1) < SAME_RATE else 1 / step_s
    if known := recording.fps or layout.fps:
        return known
    raise RawFileError(
        recording.source,
        f"neither the recording nor the layout {layout.name} tells the frame rate; give it with --fps, as dataset.fps, "
        "or in the manifest's column fps",
    )


def with_bodies(joints: NDArray[np.float32], bodies: int) -> NDArray[np.float32]:
    """Return joints (T, m, V, 3) with absent bodies added: (T, bodies, V, 3)."""
    missing = bodies - joints.shape[1]
    return np.pad(joints, ((0, 0), (0, missing), (0, 0), (0, 0)), constant_values=np.nan) if missing else joints
