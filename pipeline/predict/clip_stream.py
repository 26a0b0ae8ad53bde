"""Raw clips in, batches for the backbone out: any number of clips, with bounded memory.

Files are read and cleaned by a thread while the batch before is computed. A clip that can't be read is reported as such
and does not stop the others.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.clean.bodies import clean
from data.clean.body_size import clip_warnings
from data.errors import DataError
from data.joints import NUM_JOINTS
from data.raw.clip_source import ClipSource
from data.raw.joint_array import joint_array, require_joints
from data.raw.skeleton_file import RawClip, parse_clip
from data.raw.sources import list_source
from data.recipes import Recipe
from data.stores.skeleton_store import loop_clip
from pipeline.messages.errors import PipelineError

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


Source = ClipSource | RawClip | Unread


def clip_batches(clips: ClipLike | Iterable[ClipLike], recipe: Recipe, frames: int) -> Iterator[ClipBatch]:
    """Read `clips` and loop each to `frames` frames.

    A clip is a .skeleton file, a folder or zip archive of them, or joints in metres, as `joint_array` takes them.
    Raises PipelineError when `clips` is neither clips nor one clip.
    """
    sources = _sources(_each(clips))
    with ThreadPoolExecutor(1) as reader:
        ahead = None
        while batch := list(islice(sources, BATCH_CLIPS)):
            following = reader.submit(_read, batch, recipe, frames)
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()


def raw_clip(joints: Joints, source: str) -> RawClip:
    """Joints (T, M, 25, 3) in metres as a raw clip. Raises DataError as `require_joints` does."""
    coordinates = np.asarray(joints, dtype=np.float32)
    require_joints(coordinates)
    frame, body = np.nonzero(coordinates.any(axis=(2, 3)))  # in the order of frames
    first = np.r_[True, frame[1:] != frame[:-1]][: len(frame)]
    place = np.arange(len(frame)) - np.maximum.accumulate(np.where(first, np.arange(len(frame)), 0))
    bodies = np.arange(coordinates.shape[1], dtype=np.int64)
    return RawClip(source, len(coordinates), coordinates[frame, body], frame, body, place, bodies)


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


def _sources(clips: Iterable[ClipLike]) -> Iterator[Source]:
    for number, clip in enumerate(clips, start=1):
        if not isinstance(clip, str | os.PathLike):
            try:
                yield raw_clip(joint_array(clip), f"array {number}")
            except DataError as error:
                yield Unread(f"array {number}", str(error))
            continue
        try:
            yield from sorted(list_source(Path(clip)), key=str)
        except (DataError, OSError) as error:
            reason = str(error).removeprefix(f"{clip}: ").partition(" in dataset.raw")[0]  # which is not read here
            yield Unread(str(clip), reason)


def _read(sources: Sequence[Source], recipe: Recipe, frames: int) -> ClipBatch:
    joints = np.zeros((len(sources), 3, frames, NUM_JOINTS, 2), np.float32)
    order: list[str | Unread] = []
    warnings: list[tuple[str, ...]] = []
    for source in sources:
        if isinstance(source, Unread):
            order.append(source)
            continue
        name = source.source if isinstance(source, RawClip) else str(source)
        try:
            cleaned = clean(source if isinstance(source, RawClip) else parse_clip(source.read(), name), recipe)
        except DataError as error:
            order.append(Unread(name, str(error).removeprefix(name).lstrip(",: ")))
            continue
        clip = joints[len(warnings)]
        loop_clip(cleaned.joints, cleaned.period, cleaned.centre, clip)
        warnings.append(clip_warnings(clip))
        order.append(name)
    return ClipBatch(order, joints[: len(warnings)], warnings)
