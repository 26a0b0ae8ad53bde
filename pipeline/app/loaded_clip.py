"""A clip or recording that was read once: everything that answers need, whichever list of actions they choose from."""

import io
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console

from data.clips.span import Note
from data.errors import DataError
from data.raw.clip_of_joints import raw_clip
from data.raw.skeleton_file import RawClip
from data.recordings.read_clip import RawPart, Reading
from data.recordings.windows import Windows
from data.stores.skeleton_store import SkeletonStore
from pipeline.app.limbs import LIMBS, held_still
from pipeline.phases.raw_recordings import reading_of, with_recordings
from pipeline.predict.answers import FeaturedBatch
from pipeline.predict.clip_stream import ClipBatch, Unread, batches_of, sources_of
from pipeline.predict.recognizer import Recognizer
from pipeline.predict.timeline import FeaturedRecording, featured_recording
from pipeline.predict.treatment import Treatment
from pipeline.show.show import read_stored
from pipeline.workspace.provenance import stored_fps

AS_THE_RUN = "as the run's clips"


@dataclass(frozen=True)
class LoadedClip:
    """A clip of which all features are known.

    name: what the user knows it by. whole: the clip as one (B = 1). still: the clip with each of LIMBS held still
    (B = their number); None where the whole clip could not be read. recording: its windows.
    remarks: how it was read, a sentence each.
    """

    name: str
    whole: FeaturedBatch
    still: FeaturedBatch | None
    recording: FeaturedRecording
    remarks: tuple[str, ...] = ()


def load_file(recognizer: Recognizer, path: Path, layout: str, windows: Windows) -> LoadedClip:
    """Read the recording at `path`, of which the name alone is told; of several in the file, the first.

    layout: a name, "auto" to guess it, or AS_THE_RUN. Raises DataError when it can't be read.
    """
    remarks = io.StringIO()
    treatment = recognizer.treatment
    if layout != AS_THE_RUN:
        context = replace(recognizer.run.context, console=Console(file=remarks, soft_wrap=True))
        reading = reading_of(with_recordings(context, [path], layout, None, False))
        treatment = replace(treatment, reading=replace(reading, to_fps=treatment.reading.to_fps))
    found = list(islice(sources_of([path], treatment.reading), 2))
    if not found:
        raise DataError(f"{path}: holds no recording")
    source = found[0]
    if isinstance(source, Unread):
        raise DataError(f"{source.clip}: {source.reason}")
    said = [line for line in remarks.getvalue().splitlines() if line]
    if len(found) > 1:
        said.append(f"The file holds several recordings. This is the first: {source}")
    batch = next(iter(batches_of(iter([source]), treatment)))
    recording = _recording(recognizer, source, treatment, windows)
    said = [_without(path, line) for line in said]
    return LoadedClip(path.name, *_whole(recognizer, batch), recording, tuple(said))


def load_stored(recognizer: Recognizer, name: str, windows: Windows) -> LoadedClip:
    """Read the clip `name` of skeletons.h5, as the backbone got it. Raises DataError when there is none."""
    path = recognizer.run.context.workspace.skeletons
    with SkeletonStore(path) as store:
        rows = np.flatnonzero(store.name == name)
        if not len(rows):
            raise DataError(f"{name}: no clip of this name in the workspace")
        row = int(rows[0])
        fps = stored_fps(path) or float(store.fps[row])
        moving = read_stored(store, row, fps)
        joints = store.batch([row], recognizer.frames)  # (1, 3, T, V, M)
    batch = ClipBatch([name], joints, [()], [()])
    # The windows are cut from the clip as it is stored, so nothing is resampled, turned or checked again.
    treatment = replace(recognizer.treatment, reading=Reading(None, fps, fps, False), fps=None)
    recording = _recording(recognizer, raw_clip(moving.joints, name), treatment, windows)
    quiet = [replace(part, warnings=[()] * len(part.warnings)) for part in recording.batches]
    recording = replace(recording, batches=quiet, moving=moving)
    return LoadedClip(name, *_whole(recognizer, batch), recording)


def stored_names(recognizer: Recognizer) -> dict[str, list[str]]:
    """Action (A001) -> names of its clips in skeletons.h5."""
    names: dict[str, list[str]] = {}
    with SkeletonStore(recognizer.run.context.workspace.skeletons) as store:
        for name in store.name.tolist():
            names.setdefault(str(name)[-4:], []).append(str(name))
    return names


def _whole(recognizer: Recognizer, batch: ClipBatch) -> tuple[FeaturedBatch, FeaturedBatch | None]:
    whole = recognizer.featured(batch)
    if not len(batch.joints):
        return whole, None
    still = np.stack([held_still(batch.joints[0], limb) for limb in LIMBS])  # (B, 3, T, V, M)
    nothing: list[tuple[str, ...]] = [()] * len(LIMBS)
    notes: list[tuple[Note, ...]] = [()] * len(LIMBS)
    return whole, recognizer.featured(ClipBatch([limb.name for limb in LIMBS], still, nothing, notes))


def _recording(
    recognizer: Recognizer, source: RawPart | RawClip, treatment: Treatment, windows: Windows
) -> FeaturedRecording:
    recording = featured_recording(recognizer, source, treatment, windows)
    return replace(recording, clip=Path(recording.clip).name)


def _without(path: Path, text: str) -> str:
    """Return `text` with the file's name in place of its path on this machine."""
    return text.replace(str(path), path.name)


def told(error: Exception, path: Path) -> str:
    """Return an error about the upload at `path` as a sentence that names the file alone."""
    return _without(path, str(error))
