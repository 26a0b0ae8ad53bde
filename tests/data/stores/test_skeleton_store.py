import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from data.clean.bodies import clean
from data.clean.cleaning import collect
from data.clip_name import ClipName
from data.errors import DataError
from data.raw.skeleton_file import format_clip, parse_clip
from data.recipes import RECIPES, Recipe
from data.stores import h5
from data.stores.skeleton_store import SkeletonStore, SkeletonWriter, output_frames
from tests.shared.made_skeletons import moving_clip
from tests.shared.plain_reader import plain_clip


def write_store(path: Path, contents: Sequence[bytes], recipe: Recipe = "shift-gcn", batch: int = 3) -> Path:
    clips = [
        (ClipName(1, 1, 1 + number % 3, 1, 1 + number), clean(parse_clip(content, str(number)), recipe))
        for number, content in enumerate(contents)
    ]
    clips.sort(key=lambda clip: str(clip[0]))
    with h5.writing(path, {"stage": "preprocess"}) as file:
        writer = SkeletonWriter(file)
        for start in range(0, len(clips), batch):
            writer.append(collect(clips[start : start + batch]))
        writer.finish()
    return path


def in_order(contents: Sequence[bytes]) -> list[bytes]:
    """Sorts `contents` in the order of the clips that `write_store` makes of them."""
    return [content for _, _, content in sorted((1 + n % 3, n, content) for n, content in enumerate(contents))]


def coming_and_going(seed: int) -> bytes:
    """A clip of two bodies that appear and disappear in different frames."""
    rng = np.random.default_rng(seed)
    joints = moving_clip(rng, int(rng.integers(8, 60)), 2)
    for body in range(2):
        start, stop = int(rng.integers(0, 4)), int(rng.integers(0, 4))
        joints[:start, body] = 0
        joints[len(joints) - stop :, body] = 0
    return format_clip(joints)


@pytest.mark.parametrize("recipe", RECIPES)
def test_batches_equal_those_of_a_plain_implementation(tmp_path: Path, recipe: Recipe) -> None:
    contents = [coming_and_going(seed) for seed in range(6)]
    contents.append(format_clip(moving_clip(np.random.default_rng(0), 7)))
    with SkeletonStore(write_store(tmp_path / "skeletons.h5", contents, recipe)) as store:
        batch = store.batch(np.arange(len(store)), 300)
        assert len(np.unique(store.bodies)) == 2
        assert h5py.File(tmp_path / "skeletons.h5")["centre"].shape[0] > 0
    assert batch.shape == (7, 3, 300, 25, 2)
    assert batch.dtype == np.float32
    for clip, content in zip(batch, in_order(contents), strict=True):
        assert np.abs(clip - plain_clip(content, recipe, 300)).max() < 1e-6


def test_a_joint_of_the_second_body_at_the_origin_is_not_read_as_absent(tmp_path: Path) -> None:
    joints = moving_clip(np.random.default_rng(0), 30, 2)
    joints[:, 1] = joints[:, 0]
    joints[:, 1, 2:] *= 1.5
    joints[20:, 0] = 0
    content = format_clip(joints)
    with SkeletonStore(write_store(tmp_path / "skeletons.h5", [content])) as store:
        assert np.abs(store.batch([0], 300)[0] - plain_clip(content, "shift-gcn", 300)).max() < 1e-6


def test_a_batch_shorter_than_the_clip_samples_it_evenly(tmp_path: Path) -> None:
    contents = [coming_and_going(seed) for seed in range(4)]
    with SkeletonStore(write_store(tmp_path / "skeletons.h5", contents)) as store:
        for clip in range(len(store)):
            whole = store.batch([clip], int(store.frames[clip]))[0]
            for frames in (1, 2, 5, int(store.frames[clip]) - 1):
                shown = output_frames(int(store.frames[clip]), frames)
                assert np.array_equal(store.batch([clip], frames)[0], whole[:, shown])


@pytest.mark.parametrize(
    ("length", "frames", "shown"),
    [(3, 5, [0, 1, 2, 3, 4]), (5, 5, [0, 1, 2, 3, 4]), (6, 3, [0, 2, 4]), (7, 3, [0, 2, 4]), (600, 2, [0, 300]),
     (9, 1, [0])],
)  # fmt: skip
def test_output_frames_are_looped_or_sampled_evenly(length: int, frames: int, shown: list[int]) -> None:
    assert output_frames(length, frames).tolist() == shown


def test_clips_can_be_read_in_any_order_and_twice(tmp_path: Path) -> None:
    contents = [coming_and_going(seed) for seed in range(6)]
    with SkeletonStore(write_store(tmp_path / "skeletons.h5", contents)) as store:
        indices = np.array([4, 0, 4, 5, 1])
        together = store.batch(indices, 40)
        assert np.array_equal(together, np.concatenate([store.batch([clip], 40) for clip in indices]))
        assert store.batch(np.zeros(0, np.int64), 40).shape == (0, 3, 40, 25, 2)


def test_the_columns_describe_each_clip(tmp_path: Path) -> None:
    joints = moving_clip(np.random.default_rng(0), 9, 4)
    contents = [format_clip(joints), format_clip(joints[:5, :1])]
    with SkeletonStore(write_store(tmp_path / "skeletons.h5", contents)) as store:
        assert len(store) == 2
        assert store.name.tolist() == ["S001C001P001R001A001", "S001C001P002R001A002"]
        assert (store.action.tolist(), store.subject.tolist()) == ([1, 2], [1, 2])
        assert (store.setup.tolist(), store.camera.tolist(), store.replication.tolist()) == ([1, 1], [1, 1], [1, 1])
        assert (store.frames.tolist(), store.bodies.tolist(), store.dropped.tolist()) == ([9, 5], [2, 1], [2, 0])
        assert store.action.dtype == store.frames.dtype == np.int64


def test_rows_are_in_the_order_of_clips_then_bodies(tmp_path: Path) -> None:
    joints = moving_clip(np.random.default_rng(0), 9, 2)
    path = write_store(tmp_path / "skeletons.h5", [format_clip(joints), format_clip(joints[:5, :1])])
    with SkeletonStore(path) as store, h5py.File(path) as file:
        assert file["joints"].shape == (9 * 2 + 5, 25, 3)
        assert file["clip/offset"][()].tolist() == [0, 18]
        batch: NDArray[np.float32] = store.batch([0], 9)[0].transpose(3, 1, 2, 0)  # (M, T, V, C)
        assert np.array_equal(file["joints"][:18], batch.reshape(18, 25, 3))


def test_the_file_does_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    contents = [coming_and_going(seed) for seed in range(7)]
    paths = [write_store(tmp_path / f"{batch}.h5", contents, batch=batch) for batch in (1, 3, 7)]
    assert len({h5.read_record(path)["fingerprint"] for path in paths}) == 1
    assert len({path.read_bytes() for path in paths}) == 1


def test_clips_out_of_order_are_refused_when_writing(tmp_path: Path) -> None:
    clip = clean(parse_clip(coming_and_going(0), "clip"), "shift-gcn")
    names = [ClipName(1, 1, 1, 1, 2), ClipName(1, 1, 1, 1, 1)]
    with h5py.File(tmp_path / "skeletons.h5", "w") as file:
        writer = SkeletonWriter(file)
        writer.append(collect([(name, clip) for name in names]))
        with pytest.raises(ValueError, match="order of their names"):
            writer.finish()


def test_a_damaged_file_is_named_with_the_command_to_run(tmp_path: Path) -> None:
    path = write_store(tmp_path / "skeletons.h5", [coming_and_going(0)])
    with SkeletonStore(path) as store, h5py.File(path) as file:
        row = store.batch([0], 1)[0, :, 0, 5, 0]
        offset = file["joints"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[offset + 100] ^= 0xFF
    path.write_bytes(data)
    assert row.any()
    with (
        SkeletonStore(path) as store,
        pytest.raises(DataError, match=r"joints is damaged .* run `fsvae-pipe preprocess`"),
    ):
        store.batch([0], 10)


def test_a_file_whose_parts_do_not_fit_each_other_is_refused_by_name(tmp_path: Path) -> None:
    path = write_store(tmp_path / "skeletons.h5", [coming_and_going(0)])
    for number, damage in enumerate(("joints", "clip/frames", "clip/name", "clip/period")):
        broken = tmp_path / f"{number}.h5"
        shutil.copy(path, broken)
        with h5py.File(broken, "r+") as file:
            values = file[damage][()]
            del file[damage]
            if damage == "clip/name":
                file.create_dataset(damage, data=np.append(values, b"more"), dtype=h5py.string_dtype())
            elif damage != "clip/period":
                file.create_dataset(damage, data=np.concatenate([values, values]))
        with pytest.raises(DataError, match=str(broken)):
            SkeletonStore(broken)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        SkeletonStore(tmp_path / "skeletons.h5")
