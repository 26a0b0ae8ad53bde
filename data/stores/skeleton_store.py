"""skeletons.h5: normalised clips, ragged; padded and looped to a fixed length only when a batch is read.

Datasets (n clips in the order of their names, M = 1 or 2 bodies):

    joints            (rows, 25, 3) float32, metres; the clips one after another, each M blocks of `frames` rows: the
                      first body, then the second. Relative to the first body's spine mid in the same frame, and
                      turned as data.clean.bodies says: up is +z, the first body's right is +x. Absent joints are zero.
    centre            (k, 3) float32, metres; see below
    clip/name         (n,) string SsssCcccPpppRrrrAaaa
    clip/action, clip/setup, clip/camera, clip/subject, clip/replication   (n,) int64, from 1
    clip/offset       (n,) int64 the clip's first row in `joints`
    clip/frames       (n,) int64 rows of each body
    clip/bodies       (n,) int64 M
    clip/dropped      (n,) int64 bodies of the raw clip that the recipe left out
    clip/period       (n, 2) int64 frames after which each body starts anew; the larger one is `frames`, 0 = no body
    clip/centre_offset  (n,) int64 the clip's first row in `centre`, -1 when it has none

A clip is looped body by body. The rows of a body that ends before the other are zero from there on. The second body is
centred by the first one's spine *of the same output frame*, so when the two periods differ its rows can't just be
repeated. For such clips `centre` holds period[0] rows: the first body's spine mid, rotated, less that of its first
frame. Output frame t of the second body is joints[t2] + centre[t2 % period[0]] - centre[t % period[0]] with
t2 = t % period[1], and zero where the joint is absent. (A joint of the second body that happens to lie exactly in the
centre is stored as 1e-30 in x, so that it does not look absent.)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from data.clean_clips import CleanClips
from data.clip_name import MAX_NUMBER
from data.errors import DataError
from data.joints import NUM_JOINTS
from data.stores import h5

CHUNK_ROWS = 128
NAME_COLUMNS = ("action", "setup", "camera", "subject", "replication")
NUMBER_COLUMNS = (
    *NAME_COLUMNS,
    "offset", "frames", "bodies", "dropped", "period", "centre_offset",
)  # fmt: skip


NAME_TYPE = "S20"  # in memory, while clips are appended


class SkeletonWriter:
    """Appends clips to an HDF5 file opened by `data.stores.h5.writing`; memory grows by the columns, 108 bytes a clip.

    They are copied to one growing block each. Arrays kept as they came would pin the memory between them, in which
    their clips' joints were: 3 KB a clip and more.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        shape = (NUM_JOINTS, 3)
        self._joints = file.create_dataset(
            "joints", (0, *shape), "f4", maxshape=(None, *shape), chunks=(CHUNK_ROWS, *shape), fletcher32=True
        )
        self._centre = file.create_dataset(
            "centre", (0, 3), "f4", maxshape=(None, 3), chunks=(4 * CHUNK_ROWS, 3), fletcher32=True
        )
        self._columns = {name: bytearray() for name in CleanClips.COLUMNS}

    def append(self, clips: CleanClips) -> None:
        """Add clips behind those already there; their names must come later in the order of names."""
        _append(self._joints, clips.joints)
        _append(self._centre, clips.centre)
        h5.require_written(self._file)
        for name, column in self._columns.items():
            column += getattr(clips, name).astype(NAME_TYPE if name == "name" else np.int64).tobytes()

    def finish(self) -> None:
        """Write the table of clips. Call it once, after the last `append`."""
        names = np.frombuffer(self._columns.pop("name"), NAME_TYPE).astype(np.str_)
        columns = {name: np.frombuffer(column, np.int64) for name, column in self._columns.items()}
        columns["period"] = columns["period"].reshape(-1, 2)
        if not (names[:-1] < names[1:]).all():
            raise ValueError("clips must be appended in the order of their names, each once")
        rows = columns["frames"] * columns["bodies"]
        columns["offset"] = np.cumsum(rows) - rows
        centres = columns.pop("centres")
        columns["centre_offset"] = np.where(centres > 0, np.cumsum(centres) - centres, -1)
        h5.write_strings(self._file, "clip/name", names)
        for name in NUMBER_COLUMNS:
            self._file.create_dataset(f"clip/{name}", data=columns[name], fletcher32=True)


def _append(dataset: h5py.Dataset, rows: NDArray[np.float32]) -> None:
    start = len(dataset)
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows


class SkeletonStore:
    """skeletons.h5 opened for reading; a context manager. Columns as in the module's docstring, all (n,)."""

    name: NDArray[np.str_]
    action: NDArray[np.int64]
    setup: NDArray[np.int64]
    camera: NDArray[np.int64]
    subject: NDArray[np.int64]
    replication: NDArray[np.int64]
    frames: NDArray[np.int64]
    bodies: NDArray[np.int64]
    dropped: NDArray[np.int64]

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises DataError when it is missing, not whole, or its parts do not fit each other."""
        self._path = path
        self._reading = h5.reading(path)
        self._file = self._reading.__enter__()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.name = h5.read_strings(self._file, "clip/name")
        columns: dict[str, NDArray[np.int64]] = {
            name: h5.read_array(self._file, f"clip/{name}", np.int64, 2 if name == "period" else 1)
            for name in NUMBER_COLUMNS
        }
        for name in ("action", "setup", "camera", "subject", "replication", "frames", "bodies", "dropped"):
            setattr(self, name, columns[name])
        self._offset, self._centre_offset = columns["offset"], columns["centre_offset"]
        self._period = columns["period"]
        self._joints = h5.dataset(self._file, "joints", "f", 3)
        self._centre = h5.dataset(self._file, "centre", "f", 2)
        if not self._fits(columns):
            raise DataError(
                f"{self._path}: its datasets do not fit each other; delete it and run `fsvae-pipe preprocess` again"
            )

    def _fits(self, columns: Mapping[str, NDArray[np.int64]]) -> bool:
        """Whether every clip's rows are where its columns say, so that reading any clip stays inside the file."""
        rows, centres = self._joints.shape[0], self._centre.shape[0]
        if {len(column) for column in columns.values()} != {len(self.name)} or self._period.shape[1] != 2:
            return False
        if (self._joints.shape[1:], self._centre.shape[1:]) != ((NUM_JOINTS, 3), (3,)):
            return False
        if not ((self.frames >= 1) & (self.frames <= rows) & (self.bodies >= 1) & (self.bodies <= 2)).all():
            return False
        used = self.frames * self.bodies
        moves = (self.bodies == 2) & (self._period[:, 0] != self._period[:, 1])  # the second body follows the first
        period, start = self._period[moves], self._centre_offset[moves]
        return bool(
            used.sum() == rows
            and (self._offset == np.cumsum(used) - used).all()
            and (period >= 1).all()
            and (period <= self.frames[moves, None]).all()
            and ((start >= 0) & (start <= centres - period[:, 0])).all()
            and all(((columns[key] >= 1) & (columns[key] <= MAX_NUMBER)).all() for key in NAME_COLUMNS)
        )

    def __len__(self) -> int:
        return len(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def require_as_written(self) -> None:
        """Read all of the file once; raise DataError when it is not what was written."""
        h5.require_as_written(self._file)

    def close(self) -> None:
        """Close the file; columns stay readable."""
        self._reading.__exit__(None, None, None)

    def batch(self, clips: NDArray[np.int64] | Sequence[int], frames: int) -> NDArray[np.float32]:
        """(B, 3, T, 25, 2): the clips with these numbers, each looped to T = `frames`, or sampled evenly down to it.

        The second body of a clip that has none is zero. Raises DataError when the file is damaged.
        """
        indices = np.asarray(clips, dtype=np.int64)
        out = np.zeros((len(indices), 3, frames, NUM_JOINTS, 2), np.float32)
        for place in np.argsort(indices, kind="stable"):  # in the order of the file
            self._fill(out[place], int(indices[place]), frames)
        return out

    def _fill(self, out: NDArray[np.float32], clip: int, frames: int) -> None:
        """Write one clip into `out` (C, T, V, 2), which holds zeros."""
        length, bodies = int(self.frames[clip]), int(self.bodies[clip])
        start = int(self._offset[clip])
        rows = self._read(self._joints, start, length * bodies).reshape(bodies, length, NUM_JOINTS, 3)
        first, second = (int(period) for period in self._period[clip])
        centre = np.zeros((0, 3), np.float32)
        if bodies == 2 and first != second:
            centre = self._read(self._centre, int(self._centre_offset[clip]), first)
        loop_clip(rows, (first, second), centre, out)

    def _read(self, dataset: h5py.Dataset, start: int, rows: int) -> NDArray[np.float32]:
        try:
            return h5.read_rows(dataset, start, start + rows)
        except DataError as error:
            raise DataError(f"{error}: run `fsvae-pipe preprocess`") from error


def loop_clip(
    joints: NDArray[np.float32], period: tuple[int, int], centre: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Loop one clip into `out` (C, T, V, 2), which holds zeros; the others are the fields of a `CleanClip`."""
    bodies, length = joints.shape[:2]
    shown = output_frames(length, out.shape[1])
    small = np.zeros((3, length, NUM_JOINTS, 2), np.float32)
    small[..., :bodies] = joints.transpose(3, 1, 2, 0)  # (C, L, V, M)
    first, second = period
    if bodies == 1 or first == second:
        np.take(small, shown % length, axis=1, out=out, mode="clip")  # (C, T, V, M)
        return
    out[..., 0] = small[..., 0][:, shown % first]  # (C, T, V)
    again = shown % second
    moved = small[..., 1][:, again]  # (C, T, V)
    shift = (centre[again % first] - centre[shown % first]).T[:, :, None]  # (C, T, 1)
    out[..., 1] = np.where((moved != 0).any(axis=0), moved + shift, 0)


def output_frames(length: int, frames: int) -> NDArray[np.int64]:
    """Which frames of an endlessly looped clip are shown: (frames,), the first ones, or an even choice of `length`."""
    if length <= frames:
        return np.arange(frames)
    return np.arange(frames) * length // frames
