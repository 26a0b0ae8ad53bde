"""Turns published skeleton arrays of a fixed length, those of Shift-GCN and CTR-GCN, back into ragged clips.

Shift-GCN: PREFIX_data_joint.npy (N, 3, 300, 25, 2) and PREFIX_label.pkl.
    The clips are normalised by the shift-gcn recipe and looped to 300 frames. The label file has their names. Each loop
    is cut to its shortest period, so that looping it again when it is read gives the same array, bit for bit.
CTR-GCN: NTU60_CS.npz with x_train (N, 300, 150), y_train one-hot (N, 60), x_test and y_test.
    A frame is x, y, z of both bodies' 25 joints. A clip is centred on the spine mid of its first frame, and followed by
    zero frames. These are cut off, and the clip is normalised as a raw clip is. The archive has no names. It only says
    which clips train and which test, so names are made up from that.

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
from data.formats.label_pickle import read_label_pickle
from data.joints import NUM_JOINTS, SPINE_MID
from data.published.array_rows import npy_rows, npz_rows
from data.raw.skeleton_file import MAX_BODY_FRAMES, RawClip
from data.recipes import Recipe

DATA_ENDINGS = ("_data_joint.npy", "_data.npy")
ARRAY_RECIPE: Recipe = "shift-gcn"  # what PREFIX_data_joint.npy is normalised by
BODIES = 2
CENTRED_M = 1e-4  # after the shift-gcn recipe, the first body's spine mid is at most this far from the origin
PARTS = ("train", "test")  # the parts of an .npz; their clips get subject 1 and subject 2
MADE_UP_CAMERA = 999  # marks a made-up name
REPLICATIONS = MAX_NUMBER
MAX_FRAMES = MAX_BODY_FRAMES // BODIES  # as in a raw file
BLOCK_ROWS = 32

Imported = tuple[ClipName, CleanClip | DataError]  # the error says why a clip can't be used


@dataclass(frozen=True)
class LabelledArray:
    """One PREFIX_data_joint.npy with the names in its PREFIX_label.pkl."""

    path: Path
    label_path: Path
    names: list[ClipName]  # in the order of the array


def label_path_of(path: Path) -> Path:
    """Returns PREFIX_label.pkl for PREFIX_data_joint.npy. Raises DataError for any other name."""
    for ending in DATA_ENDINGS:
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending) + "_label.pkl")
    raise DataError(f"{path}: expected a name like {' or '.join(f'PREFIX{ending}' for ending in DATA_ENDINGS)}")


def read_labelled_array(path: Path) -> LabelledArray:
    """Checks an array's shape, labels and names. Raises DataError when they do not fit each other."""
    label_path = label_path_of(path)
    texts, labels = read_label_pickle(label_path)
    with npy_rows(path) as rows:
        if rows.shape[1:2] + rows.shape[3:] != (3, NUM_JOINTS, BODIES) or 0 in rows.shape:
            raise DataError(f"{path}: has shape {rows.shape}; expected (clips, 3, frames, {NUM_JOINTS}, {BODIES})")
        if len(rows) != len(texts):
            raise DataError(f"{label_path}: has {len(texts)} names, but {path.name} beside it has {len(rows)} clips")
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
    """Yields the clips of `arrays` in the order of their names, one at a time. Raises DataError for a broken file."""
    order = sorted((name, index, row) for index, array in enumerate(arrays) for row, name in enumerate(array.names))
    with ExitStack() as stack:
        rows = [stack.enter_context(npy_rows(array.path)) for array in arrays]
        for name, index, row in order:
            clip = rows[index].read(row, row + 1)[0].astype(np.float32)  # (C, T, V, M)
            unlooped = _or_error(_unlooped, clip, f"{arrays[index].path}, {name}")
            if isinstance(unlooped, CleanClip) and np.abs(unlooped.joints[0, :, SPINE_MID]).max() > CENTRED_M:
                raise DataError(
                    f"{arrays[index].path}: the first body's spine mid of {name} is not at the origin in every frame, "
                    "so the array was not normalised by the shift-gcn recipe; import the raw clips instead"
                )
            yield name, unlooped


def _or_error(make: Callable[..., CleanClip], *arguments: Any) -> CleanClip | DataError:
    try:
        return make(*arguments)
    except DataError as error:
        return error


def _unlooped(clip: NDArray[np.float32], source: str) -> CleanClip:
    """Cuts a looped clip (C, T, V, M) to one period. Raises DataError when it is empty or not finite."""
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
    """Cuts off the zero frames at the end of (M, T, V, C)."""
    nonzero = np.flatnonzero(frames.any(axis=(0, 2, 3)))
    return frames[:, : nonzero[-1] + 1] if len(nonzero) else frames[:, :0]


def _shortest_period(frames: NDArray[np.float32]) -> int:
    """Returns the least number of frames after which (M, T, V, C) repeats, exactly and to the end; T if it does not."""
    length = int(frames.shape[1])
    starts = np.flatnonzero((frames == frames[:, :1]).all(axis=(0, 2, 3)))
    for start in map(int, starts[1:]):
        if np.array_equal(frames[:, start:], frames[:, : length - start]):
            return start
    return length


def npz_names(path: Path) -> list[ClipName]:
    """Makes up names for an archive's clips, in ascending order: those of x_train, then those of x_test.

    Setup and replication number the clips, the camera is 999, the subject is 1 for the training part and 2 for the test
    part. Raises DataError when an array is missing or has a wrong shape, or when a label is not one-hot.
    """
    names: list[ClipName] = []
    for subject, part in enumerate(PARTS, start=1):
        with npz_rows(path, f"x_{part}") as x, npz_rows(path, f"y_{part}") as y:
            if len(x.shape) != 3 or x.shape[2] != BODIES * NUM_JOINTS * 3 or 0 in x.shape:
                raise DataError(f"{x.source}: has shape {x.shape}; expected (clips, frames, {BODIES * NUM_JOINTS * 3})")
            if len(names) + len(x) > MAX_NUMBER * REPLICATIONS or x.shape[1] > MAX_FRAMES:
                raise DataError(f"{x.source}: has shape {x.shape}; that is too large for a data set of clips")
            if len(y.shape) != 2 or len(y) != len(x) or not 0 < y.shape[1] <= MAX_NUMBER:
                raise DataError(f"{y.source}: has shape {y.shape}; expected one-hot labels, ({len(x)}, classes)")
            for block in y.blocks(BLOCK_ROWS * 32):
                one_hot = ((block != 0).sum(axis=1) == 1) & (block.sum(axis=1) == 1)
                if not one_hot.all():
                    raise DataError(f"{y.source}: a row is not a single 1 among zeros; expected one-hot labels")
                for label in block.argmax(axis=1).tolist():
                    setup, replication = divmod(len(names), REPLICATIONS)
                    names.append(ClipName(setup + 1, MADE_UP_CAMERA, subject, replication + 1, label + 1))
    return names


def npz_clips(path: Path, names: list[ClipName], recipe: Recipe) -> Iterator[Imported]:
    """Yields an archive's clips, normalised, with the `names` of `npz_names`. Raises DataError for a broken file."""
    next_name = iter(names)
    for part in PARTS:
        with npz_rows(path, f"x_{part}") as x:
            for block in x.blocks(BLOCK_ROWS):
                for flat in block:
                    name = next(next_name)
                    yield name, _or_error(_cleaned, flat, f"{x.source}, {name}", recipe)


def _cleaned(flat: NDArray[Any], source: str, recipe: Recipe) -> CleanClip:
    """Normalises a clip (T, M*V*C). Raises DataError when it is empty or not finite."""
    frames = flat.astype(np.float32).reshape(len(flat), BODIES, NUM_JOINTS, 3).transpose(1, 0, 2, 3)  # (M, T, V, C)
    _require_finite(frames, source)
    frames = _without_padding(frames)
    row_body, row_frame = np.nonzero(frames.any(axis=(2, 3)))  # (K,), (K,)
    order = np.argsort(row_frame, kind="stable")
    row_body, row_frame = row_body[order], row_frame[order]
    ids = np.arange(1, BODIES + 1)
    raw = RawClip(source, frames.shape[1], frames[row_body, row_frame], row_frame, row_body, row_body, ids)
    return clean(raw, recipe)


def _require_finite(frames: NDArray[np.float32], source: str) -> None:
    if not np.isfinite(frames).all():
        raise DataError(f"{source}: a coordinate is NaN or infinite")
