"""Skeletons as arrays of a fixed length, the way Shift-GCN and CTR-GCN keep them, back to ragged clips.

PREFIX_data_joint.npy (N, 3, 300, 25, 2) + PREFIX_label.pkl  normalised by the shift-gcn recipe and looped to 300
    frames; the labels' file has the clips' names. The loop is cut to its shortest period, so that looping it again on
    reading gives back the same array, bit for bit.
NTU60_CS.npz, x_train (N, 300, 150), y_train one-hot (N, 60), x_test, y_test  both bodies' 25 joints' x, y, z in every
    frame, moved to the first frame's spine mid, zeros behind the last frame. These are cut off, and the clip is
    normalised as a raw one is. The archive has no names; what it tells, training or test part, becomes a made-up name.

Letters: N clips, C = 3, T frames, V = 25 joints, M = 2 bodies.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.clean.bodies import CleanClip, clean
from data.clip_name import MAX_NUMBER, ClipName
from data.errors import DataError
from data.joints import NUM_JOINTS, SPINE_MID
from data.published.array_rows import npy_rows, npz_rows
from data.published.label_pickle import read_label_pickle
from data.raw.skeleton_file import MAX_BODY_FRAMES, RawClip
from data.recipes import Recipe

DATA_ENDINGS = ("_data_joint.npy", "_data.npy")
ARRAY_RECIPE: Recipe = "shift-gcn"  # what PREFIX_data_joint.npy is normalised by
BODIES = 2
CENTRED_M = 1e-4  # how far the first body's spine mid may be from the origin after the shift-gcn recipe
PARTS = ("train", "test")  # of an .npz; their clips get the subjects 1 and 2
MADE_UP_CAMERA = 999  # says that a name is made up
REPLICATIONS = MAX_NUMBER
MAX_FRAMES = MAX_BODY_FRAMES // BODIES  # as in a raw file
BLOCK_ROWS = 32

Imported = tuple[ClipName, CleanClip | DataError]  # an error says why a clip is of no use


@dataclass(frozen=True)
class LabelledArray:
    """One PREFIX_data_joint.npy with the names in its PREFIX_label.pkl."""

    path: Path
    label_path: Path
    names: list[ClipName]  # in the order of the array


def label_path_of(path: Path) -> Path:
    """PREFIX_label.pkl of PREFIX_data_joint.npy. Raises DataError when the name is another one."""
    for ending in DATA_ENDINGS:
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending) + "_label.pkl")
    raise DataError(f"{path}: is not called {' or '.join(f'PREFIX{ending}' for ending in DATA_ENDINGS)}")


def read_labelled_array(path: Path) -> LabelledArray:
    """Check the array's shape and its labels. Raises DataError when they do not fit each other."""
    label_path = label_path_of(path)
    texts, labels = read_label_pickle(label_path)
    with npy_rows(path) as rows:
        if rows.shape[1:2] + rows.shape[3:] != (3, NUM_JOINTS, BODIES) or 0 in rows.shape:
            raise DataError(f"{path}: has shape {rows.shape}; (clips, 3, frames, {NUM_JOINTS}, {BODIES}) is wanted")
        if len(rows) != len(texts):
            raise DataError(f"{label_path}: has {len(texts)} names, but {path.name} beside it {len(rows)} clips")
    names = []
    for text, label in zip(texts, labels, strict=True):
        try:
            name = ClipName.parse(text.removesuffix(".skeleton"))
        except DataError as error:
            raise DataError(f"{label_path}: {error}") from error
        if name.action != label + 1:
            raise DataError(
                f"{label_path}: {name} has label {label}; its name says {name.action - 1} (labels count from 0)"
            )
        names.append(name)
    return LabelledArray(path, label_path, names)


def array_clips(arrays: list[LabelledArray]) -> Iterator[Imported]:
    """The clips of `arrays` in the order of their names, each read when asked for. Raises DataError for a bad file."""
    order = sorted((name, place, row) for place, array in enumerate(arrays) for row, name in enumerate(array.names))
    with ExitStack() as stack:
        rows = [stack.enter_context(npy_rows(array.path)) for array in arrays]
        for name, place, row in order:
            clip = rows[place].read(row, row + 1)[0].astype(np.float32)
            unlooped = _or_error(_unlooped, clip, f"{arrays[place].path}, {name}")
            if isinstance(unlooped, CleanClip) and np.abs(unlooped.joints[0, :, SPINE_MID]).max() > CENTRED_M:
                raise DataError(
                    f"{arrays[place].path}: the first body's spine mid of {name} is not at the origin in every frame, "
                    "so the array was not normalised by the shift-gcn recipe; import the raw clips instead"
                )
            yield name, unlooped


def _or_error(make: Callable[..., CleanClip], *arguments: Any) -> CleanClip | DataError:
    try:
        return make(*arguments)
    except DataError as error:
        return error


def _unlooped(clip: NDArray[np.float32], source: str) -> CleanClip:
    """(C, T, V, M) -> one period. Raises DataError when the clip is empty or not finite."""
    frames = np.ascontiguousarray(clip.transpose(3, 1, 2, 0))  # (M, T, V, C)
    _require_finite(frames, source)
    frames = _without_padding(frames)
    if not frames.any():
        raise DataError(f"{source}: all coordinates are zero")
    period = _shortest_period(frames)
    bodies = BODIES if frames[1].any() else 1
    return CleanClip(
        frames[:bodies, :period], (period, period if bodies == BODIES else 0), np.zeros((0, 3), np.float32), {}
    )


def _without_padding(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, T, V, C) without the frames behind the last one that holds anything."""
    filled = np.flatnonzero(frames.any(axis=(0, 2, 3)))
    return frames[:, : filled[-1] + 1] if len(filled) else frames[:, :0]


def _shortest_period(frames: NDArray[np.float32]) -> int:
    """After how many frames (M, T, V, C) start anew, exactly and until the end; T when they never do."""
    length = int(frames.shape[1])
    starts = np.flatnonzero((frames == frames[:, :1]).all(axis=(0, 2, 3)))
    for start in map(int, starts[1:]):
        if np.array_equal(frames[:, start:], frames[:, : length - start]):
            return start
    return length


def npz_names(path: Path) -> list[ClipName]:
    """Made-up names of an archive's clips, x_train's before x_test's, in ascending order.

    Setup and replication count the clips, the camera is 999, the subject 1 for the training and 2 for the test part.
    Raises DataError when an array is missing, has another shape, or a label is not one-hot.
    """
    names: list[ClipName] = []
    for subject, part in enumerate(PARTS, start=1):
        with npz_rows(path, f"x_{part}") as x, npz_rows(path, f"y_{part}") as y:
            if len(x.shape) != 3 or x.shape[2] != BODIES * NUM_JOINTS * 3 or 0 in x.shape:
                raise DataError(
                    f"{x.source}: has shape {x.shape}; (clips, frames, {BODIES * NUM_JOINTS * 3}) is wanted"
                )
            if len(names) + len(x) > MAX_NUMBER * REPLICATIONS or x.shape[1] > MAX_FRAMES:
                raise DataError(f"{x.source}: has shape {x.shape}; that is too large for a data set of clips")
            if len(y.shape) != 2 or len(y) != len(x) or not 0 < y.shape[1] <= MAX_NUMBER:
                raise DataError(f"{y.source}: has shape {y.shape}; one-hot labels, ({len(x)}, classes), are wanted")
            for block in y.blocks(BLOCK_ROWS * 32):
                good = ((block != 0).sum(axis=1) == 1) & (block.sum(axis=1) == 1)
                if not good.all():
                    raise DataError(f"{y.source}: a row holds other than one 1 and zeros; one-hot labels are wanted")
                for label in block.argmax(axis=1).tolist():
                    setup, replication = divmod(len(names), REPLICATIONS)
                    names.append(ClipName(setup + 1, MADE_UP_CAMERA, subject, replication + 1, label + 1))
    return names


def npz_clips(path: Path, names: list[ClipName], recipe: Recipe) -> Iterator[Imported]:
    """The clips of an archive under the `names` of `npz_names`, normalised. Raises DataError for a bad file."""
    left = iter(names)
    for part in PARTS:
        with npz_rows(path, f"x_{part}") as x:
            for block in x.blocks(BLOCK_ROWS):
                for flat in block:
                    name = next(left)
                    yield name, _or_error(_cleaned, flat, f"{x.source}, {name}", recipe)


def _cleaned(flat: NDArray[Any], source: str, recipe: Recipe) -> CleanClip:
    """(T, M*V*C) -> a normalised clip. Raises DataError when it is empty or not finite."""
    frames = flat.astype(np.float32).reshape(len(flat), BODIES, NUM_JOINTS, 3).transpose(1, 0, 2, 3)  # (M, T, V, C)
    _require_finite(frames, source)
    frames = _without_padding(frames)
    body_at, frame_at = np.nonzero(frames.any(axis=(2, 3)))
    order = np.argsort(frame_at, kind="stable")
    body_at, frame_at = body_at[order], frame_at[order]
    ids = np.arange(1, BODIES + 1)
    raw = RawClip(source, frames.shape[1], frames[body_at, frame_at], frame_at, body_at, body_at, ids)
    return clean(raw, recipe)


def _require_finite(frames: NDArray[np.float32], source: str) -> None:
    if not np.isfinite(frames).all():
        raise DataError(f"{source}: a coordinate is NaN or infinite")
