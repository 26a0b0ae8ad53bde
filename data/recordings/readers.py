"""Opens a recording with the reader of its layout's kind."""

from collections.abc import Callable, Mapping
from typing import BinaryIO

from data.errors import DataError
from data.layouts.layout import Layout
from data.recordings.annotations import read_pickle
from data.recordings.array_file import read_array
from data.recordings.body_unit import in_metres
from data.recordings.bvh_file import read_bvh
from data.recordings.dict_file import read_dict
from data.recordings.json_file import read_json
from data.recordings.recording import Recording
from data.recordings.text_file import read_text

Reader = Callable[[BinaryIO, str, Layout], Recording]

READERS: Mapping[str, Reader] = {
    "text": read_text,
    "json": read_json,
    "array": read_array,
    "dict": read_dict,
    "bvh": read_bvh,
    "pickle": read_pickle,
}


def open_recording(stream: BinaryIO, source: str, layout: Layout) -> Recording:
    """Opens the recording in `stream`; `source` names it in messages.

    Blocks are read from the stream as they are asked for, at most BLOCK_FRAMES frames each, so the stream must stay
    open. It must be seekable, and stand at its start. The points are in the layout's unit, or in metres when it has
    none. Raises RawFileError, at once or with a block, when the file is broken or of another layout, and DataError when
    the layout's files can't be used.
    """
    if layout.refused:
        raise DataError(f"{source}: {layout.name} is refused: {layout.refused}")
    if layout.kind not in READERS:
        raise DataError(f"{source}: files of {layout.name} ({layout.kind}) are read by data/raw/skeleton_file.py")
    recording = READERS[layout.kind](stream, source, layout)
    return recording if layout.unit_m else in_metres(recording, layout)
