"""skeletons.h5: normalised clips, ragged. They are looped to a fixed length only when a batch is read.

Datasets (n clips in the order of their names, M = 1 or 2 bodies):

    joints            (rows, 25, 3) float32 metres. The clips follow one another. A clip is M blocks of `frames` rows:
                      the first body, then the second. Coordinates are relative to the first body's spine mid in the
                      same frame and rotated as data.clean.bodies says: up is +z, the first body's right is +x. Absent
                      joints are zero.
    centre            (k, 3) float32 metres; see below
    clip/name         (n,) string SsssCcccPpppRrrrAaaa
    clip/action, clip/setup, clip/camera, clip/subject, clip/replication   (n,) int64, from 1
    clip/offset       (n,) int64 the clip's first row in `joints`
    clip/frames       (n,) int64 rows of each body
    clip/bodies       (n,) int64 M
    clip/dropped      (n,) int64 bodies of the raw clip that the recipe dropped
    clip/period       (n, 2) int64 frames after which each body starts again; the larger is `frames`, 0 = no body
    clip/centre_offset  (n,) int64 the clip's first row in `centre`, -1 when it has none
    clip/fps          (n,) float64 frames a second of the recording. The clip's own are the setting preprocess.fps of
                      the file's record, or these when it is 0. Files of earlier versions lack it: 30, a Kinect's.

Each body is looped by its own period. When one body's period is shorter, its rows after that are zero.

The second body is centred on the first body's spine *in the same output frame*. So when the two periods differ, its
rows can't simply be repeated. For such clips `centre` holds period[0] rows: the first body's rotated spine mid minus
that of its first frame. Output frame t of the second body is

    joints[t2] + centre[t2 % period[0]] - centre[t % period[0]], with t2 = t % period[1]

and zero where the joint is absent. A joint of the second body exactly at the origin is stored as 1e-30 in x, because
zero would mean that it is absent.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from data.clean_clips import CleanClips
from data.clip_name import LEAST, MAX_NUMBER
from data.errors import DataError
from data.joints import KINECT_FPS, NUM_JOINTS
from data.stores import h5

CHUNK_ROWS = 128
NAME_COLUMNS = ("action", "setup", "camera", "subject", "replication")
NUMBER_COLUMNS = (*NAME_COLUMNS, "offset", "frames", "bodies", "dropped", "period", "centre_offset")
COLUMN_TYPES: Mapping[str, DTypeLike] = {
    "name": "S20",
    "fps": np.float64,
}  # in memory, while clips are appended; int64 where not named
MAX_FPS = 1000.0


class SkeletonWriter:
    """Appends clips to an HDF5 file opened by `data.stores.h5.writing`.

    Only the columns stay in memory, 108 bytes for each clip. Each column is copied to one growing block. Keeping the
    small arrays of every batch would take 3 KB for each clip, because the memory between them, where the clips' joints
    were, could not be reused.
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
        """Appends clips. Their names must come after all earlier ones in the order of names."""
        _append(self._joints, clips.joints)
        _append(self._centre, clips.centre)
        h5.require_written(self._file)
        for name, column in self._columns.items():
            column += getattr(clips, name).astype(COLUMN_TYPES.get(name, np.int64)).tobytes()

    def finish(self) -> None:
        """Writes the columns. Call it once, after the last `append`."""
        names = np.frombuffer(self._columns.pop("name"), "S20").astype(np.str_)
        fps = np.frombuffer(self._columns.pop("fps"), np.float64)
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
        self._file.create_dataset("clip/fps", data=fps, fletcher32=True)


def _append(dataset: h5py.Dataset, rows: NDArray[np.float32]) -> None:
    start = len(dataset)
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows


class SkeletonStore:
    """skeletons.h5 opened for reading; a context manager. Columns are (n,), as in the module's docstring."""

    name: NDArray[np.str_]
    action: NDArray[np.int64]
    setup: NDArray[np.int64]
    camera: NDArray[np.int64]
    subject: NDArray[np.int64]
    replication: NDArray[np.int64]
    frames: NDArray[np.int64]
    bodies: NDArray[np.int64]
    dropped: NDArray[np.int64]
    fps: NDArray[np.float64]

    def __init__(self, path: Path) -> None:
        """Opens `path`. Raises DataError when it is missing or damaged, or its parts do not fit each other."""
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
        has_fps = "fps" in h5.group_names(self._file, "clip")
        every = np.full(len(self.name), KINECT_FPS)
        self.fps = h5.read_array(self._file, "clip/fps", np.float64) if has_fps else every
        self._offset, self._centre_offset = columns["offset"], columns["centre_offset"]
        self._period = columns["period"]
        self._joints = h5.dataset(self._file, "joints", "f", 3)
        self._centre = h5.dataset(self._file, "centre", "f", 2)
        if not self._fits(columns):
            raise DataError(
                f"{self._path}: its datasets do not fit each other; delete it and run `fsvae-pipe preprocess` again"
            )

    def _fits(self, columns: Mapping[str, NDArray[np.int64]]) -> bool:
        """Whether the columns fit the datasets, so that reading any clip stays inside the file."""
        rows, centres = self._joints.shape[0], self._centre.shape[0]
        if {len(column) for column in columns.values()} != {len(self.name)} or self._period.shape[1] != 2:
            return False
        if self.fps.shape != self.name.shape or not ((self.fps > 0) & (self.fps <= MAX_FPS)).all():
            return False
        if (self._joints.shape[1:], self._centre.shape[1:]) != ((NUM_JOINTS, 3), (3,)):
            return False
        if not ((self.frames >= 1) & (self.frames <= rows) & (self.bodies >= 1) & (self.bodies <= 2)).all():
            return False
        clip_rows = self.frames * self.bodies
        has_centre = (self.bodies == 2) & (self._period[:, 0] != self._period[:, 1])
        period, start = self._period[has_centre], self._centre_offset[has_centre]
        return bool(
            clip_rows.sum() == rows
            and (self._offset == np.cumsum(clip_rows) - clip_rows).all()
            and (period >= 1).all()
            and (period <= self.frames[has_centre, None]).all()
            and ((start >= 0) & (start <= centres - period[:, 0])).all()
            and all(((columns[key] >= LEAST[key]) & (columns[key] <= MAX_NUMBER)).all() for key in NAME_COLUMNS)
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
        """Reads the whole file once. Raises DataError when its contents are not those that were written."""
        h5.require_as_written(self._file)

    def close(self) -> None:
        """Closes the file. The columns stay readable."""
        self._reading.__exit__(None, None, None)

    def batch(self, clips: NDArray[np.int64] | Sequence[int], frames: int) -> NDArray[np.float32]:
        """Reads the clips with these indices (B,) as (B, 3, T, 25, 2), T = `frames`.

        Shorter clips are looped to T frames, longer ones sampled evenly. A missing second body is zero.
        Raises DataError when the file is damaged.
        """
        indices = np.asarray(clips, dtype=np.int64)
        out = np.zeros((len(indices), 3, frames, NUM_JOINTS, 2), np.float32)
        for row in np.argsort(indices, kind="stable"):  # in the order of the file
            self._fill(out[row], int(indices[row]), frames)
        return out

    def _fill(self, out: NDArray[np.float32], clip: int, frames: int) -> None:
        """Reads one clip into `out` (C, T, V, 2), which must be zero."""
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
    """Loops one clip into `out` (C, T, V, 2), which must be zero. The other arguments are fields of a `CleanClip`."""
    bodies, length = joints.shape[:2]
    shown = output_frames(length, out.shape[1])  # (T,)
    once = np.zeros((3, length, NUM_JOINTS, 2), np.float32)
    once[..., :bodies] = joints.transpose(3, 1, 2, 0)  # (C, L, V, M)
    first, second = period
    if bodies == 1 or first == second:
        np.take(once, shown % length, axis=1, out=out, mode="clip")  # (C, T, V, M)
        return
    out[..., 0] = once[..., 0][:, shown % first]  # (C, T, V)
    second_shown = shown % second
    second_body = once[..., 1][:, second_shown]  # (C, T, V)
    shift = (centre[second_shown % first] - centre[shown % first]).T[:, :, None]  # (C, T, 1)
    out[..., 1] = np.where((second_body != 0).any(axis=0), second_body + shift, 0)


def output_frames(length: int, frames: int) -> NDArray[np.int64]:
    """Returns the indices (frames,) of the output frames in an endlessly looped clip of `length` frames.

    They are the first `frames` ones, or an even choice when the clip is longer.
    """
    if length <= frames:
        return np.arange(frames)
    return np.arange(frames) * length // frames
