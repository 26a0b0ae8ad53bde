"""Pickles of pyskl and mmaction2: a dict with `annotations`, a list of clips, and `split`, names of clips by part.

A clip is a dict: `frame_dir` (its name), `label` (its class, from 0), `keypoint` (bodies, frames, joints, 3). The files
of whole data sets take gigabytes, so `read_annotations` reads where each clip stands, and `open_annotation` one clip.
Source: tools/data/README.md of https://github.com/kennymckormick/pyskl.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from data.errors import RawFileError
from data.formats.array_pickle import ArrayInFile, read_array_pickle
from data.layouts.layout import Layout
from data.recordings.array_file import blocks_of, require_points, whole
from data.recordings.recording import Recording

WANTED = 'expected {"annotations": [{"frame_dir": ..., "keypoint": ...}, ...]}'


@dataclass(frozen=True, slots=True)
class Annotation:
    """A clip of a pickle."""

    name: str
    label: int | None  # from 0; None when there is none
    keypoint: ArrayInFile  # (bodies, frames, joints, 3)


@dataclass(frozen=True)
class Annotations:
    """What a pickle holds: its clips in their order, and the names of clips in each part."""

    clips: tuple[Annotation, ...]
    split: Mapping[str, tuple[str, ...]]


def read_annotations(stream: BinaryIO, source: str, layout: Layout) -> Annotations:
    """Reads which clips a pickle holds, and where.

    Raises RawFileError when it is broken, holds something else, or two-dimensional key points.
    """
    found = read_array_pickle(stream, source)
    listed, split = (found.get("annotations"), found.get("split")) if isinstance(found, dict) else (found, {})
    if not isinstance(listed, list) or not listed:
        raise RawFileError(source, f"holds no list of annotations; {WANTED}")
    clips = tuple(_annotation(item, place, source, layout) for place, item in enumerate(listed))
    names = {clip.name for clip in clips}
    if len(names) < len(clips):
        raise RawFileError(source, f"{len(clips)} annotations have {len(names)} names; each needs one of its own")
    parts = split if isinstance(split, dict) else {}
    return Annotations(clips, {str(part): tuple(map(str, of)) for part, of in parts.items() if isinstance(of, list)})


def _annotation(item: Any, place: int, source: str, layout: Layout) -> Annotation:
    where = f"{source}, annotation {place} (from 0)"
    if not isinstance(item, dict) or not isinstance(item.get("frame_dir"), str):
        raise RawFileError(where, f'has no "frame_dir"; {WANTED}')
    keypoint = item.get("keypoint")
    if not isinstance(keypoint, ArrayInFile):
        raise RawFileError(where, f'has no array "keypoint"; {WANTED}')
    shape = keypoint.shape
    if shape[-1:] == (2,):
        reason = f"keypoint has shape {shape}: two-dimensional points; lift them to 3-D first, or take the 3-D file"
        raise RawFileError(where, reason)
    if len(shape) != 4:
        raise RawFileError(where, f"keypoint has shape {shape}; expected (bodies, frames, {len(layout.joints)}, 3)")
    require_points((shape[1], shape[0], *shape[2:]), layout, where)
    return Annotation(item["frame_dir"], _whole_number(item.get("label"), where), keypoint)


def _whole_number(label: Any, source: str) -> int | None:
    """Returns a label that is an integer of Python or NumPy; None when there is none."""
    if isinstance(label, ArrayInFile) and label.shape == () and isinstance(label.content, bytes | str):
        number = label.load(io.BytesIO(), source)
        return int(number) if number.dtype.kind in "iu" else None
    return label if type(label) is int else None


def open_annotation(stream: BinaryIO, source: str, annotation: Annotation, layout: Layout) -> Recording:
    """Opens one clip of the pickle in `stream`. Raises RawFileError when its numbers are broken."""
    where = f"{source}/{annotation.name}"
    points = annotation.keypoint.load(stream, where).transpose(1, 0, 2, 3)  # (T, M, J, 3)
    return Recording(where, None, blocks_of(whole(points), None, layout, where))


def read_pickle(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens a pickle that holds one clip. Raises RawFileError when it holds several, or is broken."""
    clips = read_annotations(stream, source, layout).clips
    if len(clips) > 1:
        raise RawFileError(source, f"holds {len(clips)} clips, {clips[0].name} first; open one of them")
    return open_annotation(stream, source, clips[0], layout)
