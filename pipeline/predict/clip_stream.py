"""Raw clips in, batches for the backbone out: any number of clips, with bounded memory.

Files are read and cleaned by a thread while the batch before is computed. A clip that can't be read is reported as such
and does not stop the others.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.clean.bodies import clean
from data.clean.body_size import clip_warnings
from data.clips.span import Note
from data.errors import DataError
from data.joints import KINECT_FPS, NUM_JOINTS
from data.raw.clip_of_joints import raw_clip
from data.raw.joint_array import joint_array
from data.raw.skeleton_file import RawClip
from data.raw.sources import list_source
from data.recordings.find_parts import parts_of
from data.recordings.read_clip import OTHER_RATE, ClipReader, RawPart, ReadClip, Reading, findings_of
from data.stores.skeleton_store import loop_clip
from models.ahead import ahead
from pipeline.messages.errors import PipelineError
from pipeline.predict.treatment import Treatment

BATCH_CLIPS = 64
Joints = NDArray[np.floating]
ClipLike = str | os.PathLike[str] | ArrayLike


@dataclass(frozen=True)
class Unread:
    """A clip that could not be read, and why."""

    clip: str
    reason: str


@dataclass(frozen=True)
class ClipBatch:
    """B clips as the backbone takes them, those that could not be read, and the order of both."""

    order: list[str | Unread]  # a name for each clip of `joints`, in its order, with the unread ones between
    joints: NDArray[np.float32]  # (B, 3, T, V, 2) metres
    warnings: list[tuple[str, ...]]  # for each clip of `joints`, what is implausible about it
    notes: list[tuple[Note, ...]]  # for each clip of `joints`, what was done to read it


Source = RawPart | RawClip | ReadClip | Unread


def clip_batches(clips: ClipLike | Iterable[ClipLike], treatment: Treatment) -> Iterator[ClipBatch]:
    """Read `clips` and make them ready.

    A clip is a raw file of the layout of `treatment`, a folder or zip archive of them, or joints in metres, as
    `joint_array` takes them. Raises PipelineError when `clips` is neither clips nor one clip.
    """
    return batches_of(sources_of(clips, treatment.reading), treatment)


def batches_of(sources: Iterator[Source], treatment: Treatment) -> Iterator[ClipBatch]:
    """Make `sources` ready, BATCH_CLIPS at a time. What they raise themselves is raised here."""
    batches = iter(lambda: list(islice(sources, BATCH_CLIPS)), [])
    return ahead(lambda batch: _read(batch, treatment), batches)


def sources_of(clips: ClipLike | Iterable[ClipLike], reading: Reading) -> Iterator[RawPart | RawClip | Unread]:
    """List the files in `clips`, and their arrays, as `clip_batches` takes them."""
    return _sources(_each(clips), reading)


def _each(clips: ClipLike | Iterable[ClipLike]) -> Iterable[ClipLike]:
    """The clips one by one: a path or an array of one clip is that clip, not what its parts are."""
    if isinstance(clips, str | bytes | os.PathLike):
        return [clips]
    dimensions = getattr(clips, "ndim", None)  # of an array or a tensor
    if isinstance(dimensions, int):
        return clips if dimensions == 5 else [clips]  # type: ignore[return-value, list-item]
    if isinstance(clips, Mapping) or not isinstance(clips, Iterable):
        raise PipelineError(
            f"clips is a {type(clips).__name__}, where a list is wanted of paths, or of arrays of joints"
        )
    return clips


def _sources(clips: Iterable[ClipLike], reading: Reading) -> Iterator[RawPart | RawClip | Unread]:
    for number, clip in enumerate(clips, start=1):
        if not isinstance(clip, str | os.PathLike):
            try:
                yield raw_clip(joint_array(clip), f"array {number}")
            except DataError as error:
                yield Unread(f"array {number}", str(error))
            continue
        try:
            listed = sorted(list_source(Path(clip), reading.endings), key=str)
            for file in listed:
                yield from parts_of(file, reading.layout)
        except (DataError, OSError) as error:
            reason = re.split("(?: in|;) dataset.raw", str(error).removeprefix(f"{clip}: "))[0]  # is not read here
            if reading.layout is None and not isinstance(error, OSError) and Path(clip).is_file():
                reason += "; for a recording of another layout, name it with --layout (auto guesses it)"
            yield Unread(str(clip), reason)


def _read(sources: Sequence[Source], treatment: Treatment) -> ClipBatch:
    joints = np.zeros((len(sources), 3, treatment.frames, NUM_JOINTS, 2), np.float32)
    order: list[str | Unread] = []
    warnings: list[tuple[str, ...]] = []
    notes: list[tuple[Note, ...]] = []
    reader = ClipReader(treatment.reading)
    for source in sources:
        if isinstance(source, Unread):
            order.append(source)
            continue
        if isinstance(source, RawClip):
            source = ReadClip(source, treatment.reading.to_fps or KINECT_FPS)
        name = source.clip.source if isinstance(source, ReadClip) else str(source)
        try:
            read = source if isinstance(source, ReadClip) else reader.read(source)
            cleaned = clean(read.clip, treatment.recipe)
        except DataError as error:
            order.append(Unread(name, str(error).removeprefix(name).lstrip(",: ")))
            continue
        clip = joints[len(warnings)]
        loop_clip(cleaned.joints, cleaned.period, cleaned.centre, clip)
        warnings.append(_warnings(read, clip, treatment))
        notes.append(read.notes)
        order.append(name)
    return ClipBatch(order, joints[: len(warnings)], warnings, notes)


def _warnings(read: ReadClip, clip: NDArray[np.float32], treatment: Treatment) -> tuple[str, ...]:
    """Return why the answer to a clip may be wrong, by its joints as they were read, and as the backbone gets them."""
    sizes = clip_warnings(clip)
    findings = findings_of(read, treatment.reading, treatment.longest_frames)
    advice = [found.advice for found in findings if found.check == "size"]
    told = [str(found) for found in findings if not (sizes and found.check == "size")]
    return (*(". ".join((size, *advice)) for size in sizes), *told, *_other_rate(read.fps, treatment))


def _other_rate(fps: float, treatment: Treatment) -> tuple[str, ...]:
    """Return a warning where clips keep their rates, and this one's is none that the backbone was trained on."""
    least, most = treatment.fps or (fps, fps)
    if least / OTHER_RATE <= fps <= most * OTHER_RATE:
        return ()
    return (
        f"The recording has {fps:.4g} frames a second, where those of the training have {least:.4g} to {most:.4g}, and "
        "preprocess.fps = 0 leaves them so. Motion looks faster or slower to the backbone than it was.",
    )
