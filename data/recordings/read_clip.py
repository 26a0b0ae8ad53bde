"""Reads one clip of a recording: the frames of its span, as 25 joints in metres and NTU's axes, evenly spaced in time.

A clip of the layout `ntu` at the frame rate that is wanted comes as `parse_clip` reads it, bit for bit. Letters:
T frames, M bodies, V = 25 joints.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data.checks.findings import Finding, check_clip
from data.clips.placing import to_face_camera, unmirrored
from data.clips.span import Frames, Note, Span, TooLongError, in_span
from data.clips.timing import even_frames
from data.errors import DataError, RawFileError
from data.joints import KINECT_FPS
from data.raw.clip_of_joints import raw_clip
from data.raw.clip_source import ClipSource, HeldSource
from data.raw.skeleton_file import MAX_BYTES, RawClip, parse_clip
from data.raw.sources import SKELETONS

if TYPE_CHECKING:
    from data.layouts.layout import Layout
    from data.recordings.annotations import Annotation

OTHER_RATE = 1.1  # rates that differ by more than this factor change how fast motion looks
TOLD_DEGREES = 20.0  # a smaller turn is a person who stands at ease


@dataclass(frozen=True)
class Reading:
    """How recordings are read.

    layout: None = NTU's own files, for which nothing of the others is loaded.
    fps: frames a second of the recordings; 0 = as the recording or its layout says, 30 for NTU's own.
    to_fps: frames a second of the clips; 0 = as they were recorded.
    mirrored: the recordings are made from mirrored films.
    """

    layout: "Layout | None" = None
    fps: float = 0.0
    to_fps: float = KINECT_FPS
    mirrored: bool = False

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of the names of raw files, in small letters."""
        return self.layout.endings if self.layout else SKELETONS


@dataclass(frozen=True, slots=True)
class RawPart:
    """Where a clip is: a file, or the part of it in a span, or one annotation of a file that holds many.

    `str` gives a name for messages.
    """

    file: ClipSource
    annotation: "Annotation | None" = None
    span: Span | None = None
    fps: float = 0.0

    def __str__(self) -> str:
        name = f"{self.file}/{self.annotation.name}" if self.annotation else str(self.file)
        if self.span is None:
            return name
        unit = " s" if self.span.in_seconds else ""
        return f"{name} ({'' if unit else 'frames '}{self.span.start:g} to {self.span.end:g}{unit})"

    @property
    def is_small_file(self) -> bool:
        """Whether it is a whole file that can be held in memory."""
        return self.annotation is None and self.span is None and self.file.num_bytes <= MAX_BYTES

    def held(self) -> "RawPart":
        """Return the same with the contents of its file in memory."""
        return replace(self, file=HeldSource.of(self.file))


@dataclass(frozen=True)
class ReadClip:
    """A clip, its recording's frames a second, and what was done to it."""

    clip: RawClip
    fps: float
    notes: tuple[Note, ...] = ()


def findings_of(read: ReadClip, reading: Reading, longest_frames: int | None = None) -> list[Finding]:
    """Return what seems wrong with a clip as it was read; `longest_frames` is the longest that a network knows.

    A body that was turned to the camera may face anywhere later on.
    """
    turned = reading.layout is not None and reading.layout.turned
    findings = check_clip(read.clip.joints, reading.to_fps or read.fps, longest_frames=longest_frames)
    return [finding for finding in findings if not (turned and finding.check == "facing")]


class ClipReader:
    """Reads clips one after another. It keeps the last recording, since the clips of one follow each other."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._kept: tuple[ClipSource, Annotation | None, float] | None = None
        self._whole: Frames | None = None

    def read(self, part: RawPart) -> ReadClip:
        """Read a clip. Raises RawFileError when it is not as its layout says, or no frame of its span holds a body."""
        reading, source = self.reading, str(part)
        try:
            if reading.layout is not None:
                return self.clip_of(self._frames(part, reading.layout), source)
            fps = part.fps or reading.fps or KINECT_FPS
            clip = parse_clip(part.file.read(), source)
            if part.span is None and not reading.mirrored and reading.to_fps in (0, fps):
                return ReadClip(clip, fps)
            return self.clip_of(in_span(frames_of(clip, fps), part.span), source)
        except RawFileError:
            raise
        except DataError as error:
            raise RawFileError(source, str(error)) from error

    def _frames(self, part: RawPart, layout: "Layout") -> Frames:
        """Return the frames of a span; of a recording too long to hold, only these are kept while it is read."""
        from data.recordings.read_frames import read_frames  # loads pydantic, which NTU's own files need not

        fps = part.fps or self.reading.fps
        key = (part.file, part.annotation, fps)
        if key != self._kept:
            self._kept, self._whole = key, None
            try:
                self._whole = read_frames(part.file, part.annotation, layout, fps)
            except TooLongError:
                if part.span is None:
                    raise
        if self._whole is None:
            return read_frames(part.file, part.annotation, layout, fps, part.span)
        return in_span(self._whole, part.span)

    def clip_of(self, frames: Frames, source: str) -> ReadClip:
        """Finish a clip: the frame rate, the side that faces the camera, and what is absent as zero.

        Raises DataError when time goes back in it or no frame holds a body.
        """
        reading = self.reading
        notes = list(frames.notes)
        joints = unmirrored(frames.joints) if reading.mirrored else frames.joints
        even = even_frames(joints, frames.times_s, frames.fps, reading.to_fps or frames.fps)
        notes += even.notes(frames.fps, reading.to_fps or frames.fps)
        joints = even.joints
        if reading.layout is not None and reading.layout.turned:
            joints, degrees = to_face_camera(joints)
            if abs(degrees) > TOLD_DEGREES:
                notes.append(Note("turned about the vertical to face the camera", f"by {degrees:.0f} degrees"))
        clip = raw_clip(np.nan_to_num(joints, nan=0.0), source)
        if not len(clip.rows):
            raise RawFileError(source, f"none of its {clip.frames} frames holds a body")
        return ReadClip(clip, frames.fps, tuple(notes))


def frames_of(clip: RawClip, fps: float) -> Frames:
    """Return the frames of a clip that is taken at `fps` frames a second."""
    there = clip.joints.any(axis=-1, keepdims=True)
    number = np.arange(clip.frames)
    return Frames(np.where(there, clip.joints, np.float32(np.nan)), number / fps, number, fps)
