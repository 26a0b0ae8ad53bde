"""Cuts a recording of any length into windows that overlap, each a clip of its own.

Window k begins at k times the stride. The last one ends where the recording ends, and a recording shorter than a window
is one window. Memory holds the frames of a window, a stride and a block. Letters: T frames, M bodies, V = 25 joints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from data.clips.span import ROUNDING, Frames
from data.errors import DataError, RawFileError
from data.joints import KINECT_FPS
from data.raw.skeleton_file import MAX_BODY_FRAMES, RawClip, parse_clip
from data.recordings.read_clip import ClipReader, RawPart, ReadClip, Reading, frames_of

LEAST_BODY_SHARE = 0.5  # a window that shows a body for less of its time is left out
MAX_WINDOWS = 1 << 17  # of a recording: 18 hours with a stride of half a second


@dataclass(frozen=True)
class Windows:
    """Seconds that a window lasts, and seconds from the start of one to that of the next."""

    window_s: float
    stride_s: float

    def __post_init__(self) -> None:
        """Raise DataError when they are not positive, out of range, or windows would leave gaps."""
        if not 0.1 <= self.window_s <= 60:
            raise DataError(f"a window of {self.window_s:g} s, where 0.1 s to 60 s is wanted")
        if not self.window_s / 100 <= self.stride_s <= self.window_s:
            raise DataError(
                f"a stride of {self.stride_s:g} s with windows of {self.window_s:g} s, where "
                f"{self.window_s / 100:g} s to {self.window_s:g} s is wanted: a longer one leaves parts of the "
                "recording without an answer"
            )


@dataclass(frozen=True)
class Window:
    """A part of a recording, in seconds from its first frame. `read` is None where a body is there too rarely."""

    start_s: float
    end_s: float
    read: ReadClip | None


def read_windows(
    source: RawPart | RawClip, reading: Reading, windows: Windows, watch: Callable[[Frames], None] | None = None
) -> Iterator[Window]:
    """Yield the windows of a recording in order; `watch` gets its frames too, block by block.

    A RawClip is taken to be at the rate that `reading` makes. Raises RawFileError when the recording can't be read to
    its end, when time goes back in it, or when there would be too many windows.
    """
    name = source.source if isinstance(source, RawClip) else str(source)
    own = isinstance(source, RawClip)
    reader = ClipReader(replace(reading, layout=None, mirrored=False) if own else reading)
    held: Frames | None = None
    number, start_s, end_s = 0, 0.0, 0.0
    try:
        for block in _blocks(source, reading):
            if watch is not None:
                watch(block)
            held = _joined(held, block)
            _require_in_order(held, name)
            last_s = float(held.times_s[-1])
            end_s = last_s + 1 / held.fps
            while start_s + windows.window_s <= last_s + ROUNDING:
                if number >= MAX_WINDOWS:
                    raise RawFileError(name, f"it has more than {MAX_WINDOWS} windows; give a longer stride")
                yield _window(held, start_s, start_s + windows.window_s, reader, name)
                number += 1
                start_s = number * windows.stride_s
            held = _from(held, start_s - windows.stride_s)
        if held is None:
            raise RawFileError(name, "it holds no frame")
        covered_s = start_s - windows.stride_s + windows.window_s if number else 0.0
        if covered_s < end_s - ROUNDING:
            last_start_s = end_s - windows.window_s
            yield _window(held, last_start_s if last_start_s > ROUNDING else 0.0, end_s, reader, name)
    except RawFileError:
        raise
    except DataError as error:
        raise RawFileError(name, str(error)) from error


def _blocks(source: RawPart | RawClip, reading: Reading) -> Iterator[Frames]:
    if isinstance(source, RawClip):
        yield frames_of(source, reading.to_fps or KINECT_FPS)
    elif reading.layout is None:
        yield frames_of(parse_clip(source.file.read(), str(source)), source.fps or reading.fps or KINECT_FPS)
    else:
        from data.recordings.read_frames import stream_frames  # loads pydantic, which NTU's own files need not

        yield from stream_frames(source.file, source.annotation, reading.layout, source.fps or reading.fps)


def _joined(held: Frames | None, block: Frames) -> Frames:
    if held is None:
        return block
    from data.recordings.read_frames import with_bodies  # loads pydantic

    bodies = max(held.joints.shape[1], block.joints.shape[1])
    joints = np.concatenate([with_bodies(frames.joints, bodies) for frames in (held, block)])  # (T, M, V, 3)
    if joints.shape[0] * bodies > MAX_BODY_FRAMES:
        raise DataError(
            f"a window of it holds more than {MAX_BODY_FRAMES} frames times bodies; give a shorter window, or cut the "
            "recording"
        )
    times_s = np.concatenate((held.times_s, block.times_s))
    return replace(block, joints=joints, times_s=times_s, number=np.concatenate((held.number, block.number)))


def _require_in_order(frames: Frames, source: str) -> None:
    steps = np.diff(frames.times_s)
    if not np.isfinite(frames.times_s).all() or (steps < 0).any():
        back = int(np.argmax(~(steps >= 0))) if len(steps) else 0
        raise RawFileError(source, f"time goes back, or is no number, after the frame number {frames.number[back]}")


def _from(frames: Frames, start_s: float) -> Frames:
    """Return the frames from a time on, in memory of their own."""
    first = int(np.searchsorted(frames.times_s, start_s - ROUNDING))
    return replace(
        frames,
        joints=frames.joints[first:].copy(),
        times_s=frames.times_s[first:].copy(),
        number=frames.number[first:].copy(),
    )


def _window(held: Frames, start_s: float, end_s: float, reader: ClipReader, source: str) -> Window:
    first, end = np.searchsorted(held.times_s, (start_s - ROUNDING, end_s - ROUNDING))
    joints = held.joints[first:end]  # (T, M, V, 3)
    there = np.isfinite(joints).any(axis=(0, 2, 3))  # (M,)
    if not there.any():
        return Window(start_s, end_s, None)
    frames = Frames(joints[:, there], held.times_s[first:end], held.number[first:end], held.fps, held.notes)
    read = reader.clip_of(frames, f"{source} ({start_s:g} to {end_s:g} s)")
    frames_with_body = len(np.unique(read.clip.row_frame))
    wanted = LEAST_BODY_SHARE * (end_s - start_s) * (reader.reading.to_fps or read.fps)
    return Window(start_s, end_s, read if frames_with_body >= wanted - 1e-6 else None)
