"""Frames of a recording in memory, and parts of it. Workers load this, so it imports nothing heavy.

Letters: T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, RawFileError

ROUNDING = 1e-6  # of a second; times are computed from numbers of frames


@dataclass(frozen=True)
class Note:
    """What was done to read a clip: `what` goes on after "3 clips", `detail` tells how much of it."""

    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a recording, both ends included: by the source's numbers of frames, or in seconds from its start."""

    start: float
    end: float
    in_seconds: bool = False

    def inside(self, frames: "Frames") -> NDArray[np.bool_]:
        """Which frames are in the span, (T,)."""
        place = frames.times_s if self.in_seconds else frames.number
        inside: NDArray[np.bool_] = (place >= self.start - ROUNDING) & (place <= self.end + ROUNDING)
        return inside

    def beyond(self, frames: "Frames") -> list[Note]:
        """What is to be said when the span goes on after the frames of a whole recording."""
        if not np.isfinite(self.end):
            return []
        last = float(frames.times_s[-1]) + 1 / frames.fps if self.in_seconds else float(frames.number[-1])
        if self.end <= last + ROUNDING:
            return []
        texts = (f"{end:.4g} s" if self.in_seconds else f"frame {end:g}" for end in (self.end, last))
        return [Note("whose end, as the manifest says, lies after that of the recording", " after ".join(texts))]


class TooLongError(RawFileError):
    """The recording has more frames than a clip may have."""


@dataclass(frozen=True)
class Frames:
    """Frames of a recording.

    joints: (T, M, V, 3) float32 metres, NaN where absent. times_s: (T,) from the recording's first frame. number: (T,)
    the source's numbers of the frames. fps: the rate at which the source takes frames.
    """

    joints: NDArray[np.float32]
    times_s: NDArray[np.float64]
    number: NDArray[np.int64]
    fps: float
    notes: tuple[Note, ...] = ()


def in_span(frames: Frames, span: Span | None) -> Frames:
    """Return the frames of a span. Raises DataError when there is none."""
    if span is None:
        return frames
    inside = span.inside(frames)
    if not inside.any():
        place = frames.times_s if span.in_seconds else frames.number
        unit = " s" if span.in_seconds else ""
        raise DataError(f"the recording's frames go from {place[0]:g} to {place[-1]:g}{unit}; none is in this span")
    return replace(
        frames,
        joints=frames.joints[inside],
        times_s=frames.times_s[inside],
        number=frames.number[inside],
        notes=(*frames.notes, *span.beyond(frames)),
    )
